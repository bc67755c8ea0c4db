"""The installer knows the folders of Fiji and ImageJ, and leaves complete commands or a clear sentence and nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellspan.core.errors import CellspanError
from cellspan.fiji_bridge.install import engine_text, install

pytestmark = pytest.mark.quick

MACRO = {"plugins/cellspan_Segment.ijm", "plugins/cellspan/engine.txt"}
SCRIPT = {"scripts/Plugins/cellspan/Segment_Cells.groovy"}


def make(folder: Path, *subfolders: str) -> Path:
    for subfolder in subfolders:
        (folder / subfolder).mkdir(parents=True)
    return folder


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("subfolders", [["plugins", "scripts", "jars"], ["plugins", "jars"], ["plugins", "scripts"]])
def test_fiji_gets_the_macro_and_the_script(tmp_path: Path, subfolders: list[str]) -> None:
    fiji = make(tmp_path / "Fiji.app", *subfolders)
    written = install(fiji)
    assert files_in(fiji) == MACRO | SCRIPT
    assert sorted(written) == sorted(fiji / name for name in MACRO | SCRIPT)


def test_plain_imagej_gets_the_macro(tmp_path: Path) -> None:
    imagej = make(tmp_path / "ImageJ", "plugins", "macros")
    install(imagej)
    assert files_in(imagej) == MACRO


def test_the_plugins_folder_itself_may_be_given(tmp_path: Path) -> None:
    fiji = make(tmp_path / "Fiji.app", "plugins", "jars")
    install(fiji / "plugins")
    assert files_in(fiji) == MACRO | SCRIPT


def test_installing_again_renews_every_file(tmp_path: Path) -> None:
    imagej = make(tmp_path, "plugins")
    for path in install(imagej):
        path.write_text("old")
    assert all(path.read_text() != "old" for path in install(imagej))
    assert files_in(imagej) == MACRO


def test_the_engine_is_this_python(tmp_path: Path) -> None:
    install(make(tmp_path, "plugins"))
    lines = (tmp_path / "plugins/cellspan/engine.txt").read_text(encoding="ascii").splitlines()
    assert [unquote_plus(line) for line in lines] == [sys.executable, "-m", "cellspan.core.cli"]


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_any_path_survives_the_engine_file(words: list[str]) -> None:
    text = engine_text(words)
    assert text.isascii()
    assert [unquote_plus(line) for line in text.split("\n")[:-1]] == words


def test_common_paths_stay_readable() -> None:
    assert (
        engine_text([r"C:\Program Files\Python (3.11)\python.exe"]) == "C:\\Program Files\\Python (3.11)\\python.exe\n"
    )


@pytest.mark.parametrize("folder", ["empty", "missing"])
def test_other_folders_are_refused(tmp_path: Path, folder: str) -> None:
    make(tmp_path, "empty")
    with pytest.raises(CellspanError, match=f"{folder}: this is not the folder of a Fiji or ImageJ"):
        install(tmp_path / folder)
    assert files_in(tmp_path) == set()


def test_a_folder_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "plugins")
    monkeypatch.setattr(os, "access", lambda *_: False)  # no folder is like that for root
    with pytest.raises(CellspanError, match="cannot be written to"):
        install(tmp_path)
    assert files_in(tmp_path) == set()


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (make(tmp_path, "plugins") / "plugins" / "cellspan").write_text("not a folder")
    with pytest.raises(CellspanError, match="plugins/cellspan: the folder cannot be made"):
        install(tmp_path)
    assert files_in(tmp_path) == {"plugins/cellspan"}


def test_the_command_line(tmp_path: Path, cellspan) -> None:
    fiji = make(tmp_path / "Fiji.app", "plugins", "jars")
    printed = cellspan("install", "fiji", "--to", fiji).stdout
    assert files_in(fiji) == MACRO | SCRIPT
    assert "cellspan_Segment.ijm" in printed
    refused = cellspan("install", "fiji", "--to", tmp_path, check=False)
    assert refused.returncode == 2
    assert "not the folder of a Fiji" in refused.stderr
