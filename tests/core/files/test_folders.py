"""Walking through folders: each real one once, links followed, hidden ones left."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellspan.core.files.folders import folders_below

pytestmark = pytest.mark.quick


def files_below(top: Path) -> list[str]:
    return [path.relative_to(top).as_posix() for _, paths in folders_below(top) for path in paths]


def make(top: Path, *names: str) -> Path:
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).touch()
    return top


def test_all_but_what_is_hidden(tmp_path: Path) -> None:
    make(tmp_path, "b", "a/x", "a/deep/y", ".hidden/z", ".file")
    assert files_below(tmp_path) == ["b", "a/x", "a/deep/y"]


def test_a_folder_that_is_whole_counts_as_a_file(tmp_path: Path) -> None:
    make(tmp_path, "a.zarr/0/0", "b/c.zarr/0")
    found = [paths for _, paths in folders_below(tmp_path, lambda folder: folder.suffix == ".zarr")]
    assert found == [[tmp_path / "a.zarr"], [tmp_path / "b" / "c.zarr"]]


def test_links_that_lead_back_or_above_end(tmp_path: Path) -> None:
    top = make(tmp_path / "top", "a/x", "b/y")
    make(tmp_path / "other", "z")
    (top / "a" / "back").symlink_to(top)
    (top / "a" / "aside").symlink_to(top / "b")
    (top / "up").symlink_to(tmp_path)
    (top / "out").symlink_to(tmp_path / "other")
    (top / "lost").symlink_to(tmp_path / "nothing")
    found = files_below(top)
    assert sorted(Path(name).name for name in found) == ["lost", "x", "y", "z"]
    assert "out/z" in found


def test_what_a_link_leads_to_keeps_its_own_place(tmp_path: Path) -> None:
    make(tmp_path, "real/x")
    (tmp_path / "a_link").symlink_to(tmp_path / "real")
    assert files_below(tmp_path) == ["real/x"]


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    errors: list[OSError] = []
    assert list(folders_below(tmp_path / "nothing", on_error=errors.append)) == []
    [error] = errors
    assert error.filename == str(tmp_path / "nothing")
