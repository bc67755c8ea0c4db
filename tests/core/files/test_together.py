"""Files that belong together: all or none, whatever fails, also beside other runs."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.files import together
from cellspan.core.files import writing as files
from cellspan.core.files.together import Write, WrittenMeanwhile, states, write_together

pytestmark = pytest.mark.quick


def texts(folder: Path, text: str, names: str = "ab") -> dict[Path, Write]:
    return {folder / f"{name}.txt": lambda part: part.write_text(text) for name in names}


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def full(part: Path) -> None:
    part.write_text("half")
    raise OSError(errno.ENOSPC, "No space left on device")


def broken(part: Path) -> None:
    part.write_text("half")
    raise ZeroDivisionError


def test_nothing_appears_if_one_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match=r"c\.txt.*No space left"):
        write_together({**texts(tmp_path, "new"), tmp_path / "c.txt": full})
    with pytest.raises(ZeroDivisionError):
        write_together({**texts(tmp_path, "new"), tmp_path / "c.txt": broken})
    assert content(tmp_path) == {}


def test_old_files_are_replaced_or_all_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_together(texts(tmp_path, "old"))
    write_together(texts(tmp_path, "new"))
    assert content(tmp_path) == {"a.txt": "new", "b.txt": "new"}

    def fail_at_b(part: Path, path: Path) -> None:
        if path.name == "b.txt" and ".part" in part.name:
            raise OSError(errno.EIO, "Input/output error")
        files.place(part, path)

    monkeypatch.setattr(together, "place", fail_at_b)
    with pytest.raises(CellspanError, match=r"b\.txt.*Input/output"):
        write_together(texts(tmp_path, "newer"))
    assert content(tmp_path) == {"a.txt": "new", "b.txt": "new"}


def test_a_folder_of_that_name_stays(tmp_path: Path) -> None:
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(CellspanError, match=r"b\.txt.*there is a folder of this name"):
        write_together(texts(tmp_path, "new"))
    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]


def test_what_another_run_wrote_meanwhile_stays(tmp_path: Path) -> None:
    before = states(texts(tmp_path, ""))
    write_together(texts(tmp_path, "theirs"))
    with pytest.raises(WrittenMeanwhile, match=r"a\.txt: another run"):
        write_together(texts(tmp_path, "mine"), before=before)
    assert content(tmp_path) == {"a.txt": "theirs", "b.txt": "theirs"}


@pytest.mark.parametrize("links", [True, False])
def test_another_run_is_faster_by_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    """The last one of a set appears in the moment in which ours get their names: ours go again."""

    def place(part: Path, path: Path) -> None:
        if path.name == "b.txt":
            path.write_text("theirs")
        files.place(part, path)

    monkeypatch.setattr(together, "place", place)
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(WrittenMeanwhile):
        write_together(texts(tmp_path, "mine"))
    assert content(tmp_path) == {"b.txt": "theirs"}


def no_links(part: Path, path: Path) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def test_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", no_links)
    write_together(texts(tmp_path, "old"))
    write_together(texts(tmp_path, "new"))
    assert content(tmp_path) == {"a.txt": "new", "b.txt": "new"}
    (tmp_path / "part").write_text("other")
    with pytest.raises(FileExistsError):
        files.place(tmp_path / "part", tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text() == "new"


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    """Temporary names are not longer than the final one, also where a letter takes several bytes."""
    name = "é" * 125 + ".txt"
    write_together({tmp_path / name: lambda part: part.write_text("x")})
    files.write_atomically(tmp_path / ("ü" * 125 + ".txt"), lambda part: part.write_text("x"))
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("there", [True, False])
def test_runs_that_write_in_the_same_moment_never_mix(tmp_path: Path, there: bool) -> None:
    """Whoever was not told otherwise has written all; what lies there in the end is of one run."""
    names = "abcd"
    with ThreadPoolExecutor(4) as pool:
        for number in range(40):
            folder = tmp_path / str(number)
            folder.mkdir()
            if there:
                write_together(texts(folder, "old", names))
            before, start = states(texts(folder, "", names)), Barrier(4)

            def write(text: str, folder: Path = folder, before: Any = before, start: Barrier = start) -> str | None:
                start.wait()
                try:
                    write_together(texts(folder, text, names), before=before)
                except WrittenMeanwhile:
                    return None
                return text

            winners = {text for text in pool.map(write, "1234") if text}
            left = content(folder)
            assert len(winners) == 1
            assert set(left) == {f"{name}.txt" for name in names}, "files are missing, or temporary ones were left"
            assert set(left.values()) == winners
