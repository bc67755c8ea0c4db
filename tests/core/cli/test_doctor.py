"""`cellspan doctor` where the engine cannot work: it says so, with the way out, and does not call that healthy."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

from cellspan.core.machine import kept_code
from cellspan.core.machine.kept_code import Kept, Place

pytestmark = pytest.mark.quick
module = import_module("cellspan.core.cli.doctor")


@pytest.fixture(autouse=True)
def few_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_graphics_card", lambda: (False, False, "no graphics card"))
    monkeypatch.setattr(kept_code, "look_for_code", lambda work: Kept(Place(None, lasting=True), complete=True))


def told(*, healthy: bool) -> str:
    done = CliRunner().invoke(module.doctor)
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
