"""`cellspan doctor` where the engine cannot work: it says so, with the way out, and does not call that healthy."""

from __future__ import annotations

import os
import re
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

from cellspan.core.cli import health
from cellspan.core.cli.health import Check
from cellspan.core.machine import kept_code
from cellspan.core.machine.kept_code import Kept, Place
from cellspan.core.service.client import log_file
from cellspan.cp_module.install import install as install_in_cellprofiler
from cellspan.fiji_bridge import places as imagej_places
from cellspan.fiji_bridge.install import install as install_in_fiji

pytestmark = pytest.mark.quick
module = import_module("cellspan.core.cli.doctor")


@pytest.fixture(autouse=True)
def a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder without CellProfiler and Fiji, on a computer without a graphics card."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(imagej_places, "SHARED", ())
    monkeypatch.setattr(health, "_graphics_card", lambda: Check(False, False, "no graphics card"))
    monkeypatch.setattr(kept_code, "look_for_code", lambda work: Kept(Place(None, lasting=True), complete=True))
    return home


def told(*, healthy: bool) -> str:
    done = CliRunner().invoke(module.doctor, [])
    assert done.exit_code == (0 if healthy else 1), done.output
    [line] = [line for line in done.output.splitlines() if " engine" in line and "engine log" not in line]
    assert line.startswith("FAIL") is not healthy
    assert ("engine log" in done.output) is healthy
    return line


def test_an_engine_that_can_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLSPAN_RUNTIME_DIR", str(tmp_path / "run"))
    assert "not running; it starts when needed" in told(healthy=True)


def test_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()  # no folder can be made below it, not even by root
    monkeypatch.setenv("CELLSPAN_RUNTIME_DIR", str(tmp_path / "file" / "run"))
    assert "set CELLSPAN_RUNTIME_DIR" in told(healthy=False)


def test_a_folder_that_is_there_and_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLSPAN_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    line = told(healthy=False)
    assert f"{tmp_path / 'run'} cannot be written; set CELLSPAN_RUNTIME_DIR to another folder" in line


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (Kept(Place(None, lasting=True), complete=True), "ok   compiled code: it is there"),
        (Kept(Place(None, lasting=False), complete=True), "ok   compiled code: it is there"),
        (Kept(Place(Path("/home/x"), lasting=True), complete=False), "-    compiled code: not there yet"),
        (Kept(Place(Path("/tmp/x"), lasting=False), complete=False), "set NUMBA_CACHE_DIR to a folder that can"),
    ],
)
def test_the_compiled_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: Kept, said: str) -> None:
    monkeypatch.setenv("CELLSPAN_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(kept_code, "look_for_code", lambda work: kept)
    done = CliRunner().invoke(module.doctor)
    assert done.exit_code == 0
    assert said in done.output


@pytest.fixture
def programs(a_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """CellProfiler's plugins folder, named in its preferences, and a Fiji."""
    monkeypatch.setenv("CELLSPAN_RUNTIME_DIR", str(tmp_path / "run"))
    plugins, fiji = a_home / "my plugins", a_home / "Downloads" / "Fiji.app"
    plugins.mkdir()
    for name in ("plugins", "scripts", "jars"):
        (fiji / name).mkdir(parents=True)
    (a_home / ".config").mkdir()
    preferences = a_home / ".config" / "CellProfilerLocal.cfg"
    preferences.write_text(f"PreferencesVersion=1\nPluginDirectoryCP4={plugins}\n", encoding="utf-8")
    return plugins, fiji


def test_programs_without_cellspan_are_left_alone(programs: tuple[Path, Path]) -> None:
    done = CliRunner().invoke(module.doctor, ["--fix"])
    for name, folder in zip(("cellprofiler", "fiji"), programs, strict=True):
        assert f"-    {name}: {folder}: cellspan is not installed there; run `cellspan install {name}" in done.output
    assert "Nothing here can be mended by itself." in done.output
    assert not [*programs[0].iterdir()]


def test_outdated_files_are_mended(programs: tuple[Path, Path]) -> None:
    plugins, fiji = programs
    install_in_cellprofiler(plugins)
    install_in_fiji(fiji)
    (plugins / "identifyobjectsbyflow.py").write_text("# of an earlier cellspan", encoding="utf-8")
    (fiji / "scripts" / "Plugins" / "cellspan" / "Segment_Cells.groovy").unlink()
    done = CliRunner().invoke(module.doctor, ["--fix"])
    assert f"{plugins / 'identifyobjectsbyflow.py'}: the file is not as cellspan" in done.output
    assert "Segment_Cells.groovy: the file is missing" in done.output
    assert f"+    cellprofiler: cellspan's files in {plugins} were written anew" in done.output
    again = CliRunner().invoke(module.doctor, [])
    assert f"ok   cellprofiler: {plugins}" in again.output
    assert f"ok   fiji: {fiji}" in again.output


def test_what_cannot_be_mended_is_said(programs: tuple[Path, Path]) -> None:
    plugins, _ = programs
    install_in_cellprofiler(plugins)
    (plugins / "cellspan_plugin" / "table.py").unlink()
    (plugins / "cellspan_plugin").rename(plugins.parent / "elsewhere")
    (plugins / "cellspan_plugin").symlink_to(plugins.parent / "elsewhere")
    done = CliRunner().invoke(module.doctor, ["--fix"])
    assert "+    not mended: " in done.output
    assert "remove the link first" in done.output


def test_the_report_names_nobody(programs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLSPAN_SECRET_TOKEN", "very secret")
    monkeypatch.setenv("USER", "ada")
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.setattr("platform.node", lambda: "difference-engine")
    log = log_file()
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("10:00 read /data/of ada/plate 1/x.tif on difference-engine with 0123456789abcdef0123456789abcdef\n")
    report = tmp_path / "report.txt"
    done = CliRunner().invoke(module.doctor, ["--report", str(report)])
    assert f"{report}: written" in done.output
    text = report.read_text(encoding="utf-8")
    assert "== packages" in text
    assert f"numpy {version('numpy')}" in text
    assert "CELLSPAN_SECRET_TOKEN=<set>" in text
    assert "10:00 read" in text
    for secret in ("very secret", "ada", "difference-engine", "0123456789abcdef", "x.tif", str(Path.home())):
        assert not re.search(rf"\b{re.escape(secret)}\b", text), secret
