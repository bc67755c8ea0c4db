"""The installer knows the folders of Fiji and ImageJ, and leaves complete commands or a clear sentence and nothing."""

from __future__ import annotations

import json
import os
import shutil
import sys
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellspan.core.errors import CellspanError
from cellspan.core.machine.memory import in_words
from cellspan.core.models.kinds import KINDS
from cellspan.core.models.registry import BUNDLED, ListedModel, user_models
from cellspan.fiji_bridge.install import (
    SCRIPTS,
    SHARED,
    check,
    engine_command,
    engine_text,
    install,
    models_text,
    remove,
)

pytestmark = pytest.mark.quick

LOCAL = {"plugins/cellspan/engine.txt", "plugins/cellspan/installed.json"}
MACRO = LOCAL | {"plugins/cellspan_Segment.ijm"}
COMMANDS = {f"scripts/Plugins/cellspan/{name}" for name in SCRIPTS}
HELPERS = {f"plugins/cellspan/{name}.txt" for name in SHARED}
FIJI = LOCAL | COMMANDS | HELPERS | {"plugins/cellspan/models.txt"}


def make(folder: Path, *subfolders: str) -> Path:
    for subfolder in subfolders:
        (folder / subfolder).mkdir(parents=True)
    return folder


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("subfolders", [["plugins", "scripts", "jars"], ["plugins", "jars"], ["plugins", "scripts"]])
def test_fiji_gets_the_commands(tmp_path: Path, subfolders: list[str]) -> None:
    fiji = make(tmp_path / "Fiji.app", *subfolders)
    written = install(fiji)
    assert files_in(fiji) == FIJI
    assert sorted(written) == sorted(fiji / name for name in FIJI)


def test_every_script_is_installed() -> None:
    scripts = {path.name for path in files("cellspan.macros").iterdir() if path.name.endswith(".groovy")}
    assert scripts == {*SCRIPTS, *SHARED}


def test_plain_imagej_gets_the_macro(tmp_path: Path) -> None:
    imagej = make(tmp_path / "ImageJ", "plugins", "macros")
    install(imagej)
    assert files_in(imagej) == MACRO


def test_the_plugins_folder_itself_may_be_given(tmp_path: Path) -> None:
    fiji = make(tmp_path / "Fiji.app", "plugins", "jars")
    install(fiji / "plugins")
    assert files_in(fiji) == FIJI


def test_installing_again_renews_every_file(tmp_path: Path) -> None:
    imagej = make(tmp_path, "plugins")
    for path in install(imagej):
        path.write_text("old")
    assert all(path.read_text() != "old" for path in install(imagej))
    assert files_in(imagej) == MACRO


def test_dialogs_offer_the_models_of_this_computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "none"))
    fiji = make(tmp_path / "Fiji.app", "plugins", "jars")
    install(fiji)
    own = user_models() / 'my "best" cells'
    shutil.copytree(BUNDLED / "cyto", own)
    broken = user_models() / "broken"
    broken.mkdir()
    (broken / "model.json").write_text("{}")
    install(fiji)
    models = (fiji / "plugins/cellspan/models.txt").read_text(encoding="ascii").splitlines()
    listed = [[unquote_plus(part) for part in line.split("\t")] for line in models]
    network = "convolutional network (Cellpose 1 to 3), 3.4 MB"
    finds = {"cyto": "cells and nuclei", "nuclei": "nuclei", 'my "best" cells': "cells and nuclei"}
    assert listed == [[name, "finds", f"{objects}; {network}"] for name, objects in finds.items()]


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("restoration", "model 1\trestores\tnetwork that restores images (Cellpose 3), {size}\n"),
        ("flow-sam", "model 1\tfinds\ttransformer (Cellpose 4), {size}, graphics card advised\n"),
    ],
)
def test_other_kinds_say_what_they_do_and_want(monkeypatch: pytest.MonkeyPatch, kind: str, line: str) -> None:
    usable = ListedModel("model 1", "Cellpose", Path("/no/file"), kind=KINDS[kind])
    damaged = ListedModel("model 2", "Cellpose", Path("/no/file"), problem="it is damaged")
    monkeypatch.setattr("cellspan.fiji_bridge.install.known_models", lambda: [usable, damaged])
    assert models_text() == line.format(size=in_words(0))


def test_the_engine_is_this_python(tmp_path: Path) -> None:
    install(make(tmp_path, "plugins"))
    lines = (tmp_path / "plugins/cellspan/engine.txt").read_text(encoding="ascii").splitlines()
    assert [unquote_plus(line) for line in lines] == [sys.executable, "-m", "cellspan.core.cli"]


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_any_path_survives_the_engine_file(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    text = engine_text(words)
    assert text.isascii()
    assert [unquote_plus(line) for line in text.split("\n")[:-1]] == words
    file = tmp_path_factory.getbasetemp() / "engine.txt"
    file.write_text(text)
    assert engine_command(file) == words


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


def faults(folder: Path) -> list[str]:
    return [finding.text for finding in check(folder) if finding.good is False]


def test_removing_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    fiji = make(tmp_path / "Fiji.app", "plugins/Theirs", "scripts", "jars")
    (fiji / "plugins" / "theirs.ijm").write_text("theirs")
    before = sorted(fiji.rglob("*"))
    install(fiji)
    install(fiji / "plugins")
    remove(fiji)
    assert sorted(fiji.rglob("*")) == before


def test_commands_of_an_earlier_version_go(tmp_path: Path) -> None:
    fiji = make(tmp_path / "Fiji.app", "plugins", "jars")
    install(fiji)
    record = fiji / "plugins/cellspan/installed.json"
    listed = json.loads(record.read_text())
    listed["files"].append("plugins/cellspan_Old.ijm")
    record.write_text(json.dumps(listed))
    (fiji / "plugins/cellspan_Old.ijm").write_text("")
    (fault,) = faults(fiji)
    assert "cellspan_Old.ijm: the file is of an earlier cellspan" in fault
    install(fiji)
    assert files_in(fiji) == FIJI


def test_a_healthy_folder_is_called_so(tmp_path: Path) -> None:
    install(make(tmp_path, "plugins"))
    findings = list(check(tmp_path))
    assert [finding.good for finding in findings] == [True, True, None]
    assert findings[1].text.startswith(f"{sys.executable}: the engine answers")


@pytest.mark.parametrize("name", sorted(COMMANDS | HELPERS))
def test_missing_and_changed_files_are_found(tmp_path: Path, name: str) -> None:
    install(make(tmp_path, "plugins", "jars"))
    (tmp_path / name).write_text("mine")
    (fault,) = faults(tmp_path)
    assert f"{tmp_path / name}: the file is not as cellspan" in fault
    (tmp_path / name).unlink()
    (fault,) = faults(tmp_path)
    assert fault == f"{tmp_path / name}: the file is missing; run `cellspan install fiji --to {tmp_path}`"


def test_an_engine_that_is_gone_is_found(tmp_path: Path) -> None:
    install(make(tmp_path, "plugins"))
    engine = tmp_path / "plugins/cellspan/engine.txt"
    gone = tmp_path / "alte Umgebung ü" / "python"
    engine.write_text(engine_text([str(gone), "-m", "cellspan.core.cli"]))
    (fault,) = faults(tmp_path)
    assert fault.startswith(f"{gone}: the engine's Python is not there any more")
    for content in (b"", b"\xff"):
        engine.write_bytes(content)
        (fault,) = faults(tmp_path)
        assert "does not say where the engine is" in fault


def test_an_empty_folder_has_nothing_to_check(tmp_path: Path) -> None:
    (fault,) = faults(make(tmp_path, "plugins"))
    assert "cellspan is not installed there; run `cellspan install fiji --to" in fault


def test_the_command_line(tmp_path: Path, cellspan) -> None:
    fiji = make(tmp_path / "Fiji.app", "plugins", "jars")
    printed = cellspan("install", "fiji", "--to", fiji).stdout
    assert files_in(fiji) == FIJI
    assert printed.startswith(f"ok   {fiji}: {len(FIJI) - 1} files")  # besides the record
    assert "FAIL" not in cellspan("install", "fiji", "--to", fiji, "--check").stdout
    (fiji / "scripts/Plugins/cellspan/Segment_Cells.groovy").unlink()
    assert cellspan("install", "fiji", "--to", fiji, "--check", check=False).returncode == 1
    cellspan("install", "fiji", "--to", fiji, "--remove")
    assert files_in(fiji) == set()
    refused = cellspan("install", "fiji", "--to", tmp_path, check=False)
    assert refused.returncode == 2
    assert "not the folder of a Fiji" in refused.stderr
