"""`cellspan doctor` where the engine cannot work: it says so, with the way out, and does not call that healthy."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

pytestmark = pytest.mark.quick
module = import_module("cellspan.core.cli.doctor")


@pytest.fixture(autouse=True)
def few_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_graphics_card", lambda: (False, False, "no graphics card"))


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
