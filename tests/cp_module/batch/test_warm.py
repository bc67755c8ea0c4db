"""CellProfiler that is loaded once: each run has a process of its own, and what happens to it is told.

Here with a program that only looks like CellProfiler, so that it can crash and hang; the other tests of batch runs have
the real one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cellspan.cp_module.batch.warm import LoadedCellProfiler, Lost, loaded

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, CellProfiler is started for each range")

PROGRAM = """
import os, signal, sys, time
import numpy
def main(argv):
    print("said", argv[1:], os.getpid(), numpy.random.random(), flush=True)
    if "hang" in argv: time.sleep(600)
    if "crash" in argv: os.kill(os.getpid(), signal.SIGSEGV)
    if "raise" in argv: raise ValueError("no such module")
    if "exit" in argv: sys.exit(3)
    return 0
"""
PREFERENCES = """
def set_headless(): pass
def set_plugin_directory(folder, globally): pass
"""


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    for name, text in {
        "cellprofiler/__main__.py": PROGRAM,
        "cellprofiler_core/preferences.py": PREFERENCES,
        "cellprofiler_core/modules/__init__.py": "",
    }.items():
        path = tmp_path / "packages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {**os.environ, "PYTHONPATH": str(tmp_path / "packages")}


@pytest.fixture
def program(tmp_path: Path, variables: dict[str, str]) -> Iterator[LoadedCellProfiler]:
    started = LoadedCellProfiler(sys.executable, tmp_path, variables)
    yield started
    started.close()
    assert not started.is_alive


def never() -> bool:
    return False


def test_each_run_has_a_process_a_log_and_random_numbers_of_its_own(
    program: LoadedCellProfiler, tmp_path: Path
) -> None:
    logs = [tmp_path / f"{name}.log" for name in "ab"]
    for log in logs:
        assert program.run(["-c", "-r"], log, never) == 0
    words = [log.read_text().split() for log in logs]
    assert words[0][:3] == ["said", "['-c',", "'-r']"]
    assert words[0][3] != words[1][3]
    assert words[0][4] != words[1][4]


@pytest.mark.parametrize(("how", "code"), [("crash", -11), ("raise", 1), ("exit", 3)])
def test_a_run_that_fails_says_how_and_the_next_one_works(
    program: LoadedCellProfiler, tmp_path: Path, how: str, code: int
) -> None:
    log = tmp_path / "log"
    assert program.run([how], log, never) == code
    assert ("ValueError: no such module" in log.read_text()) is (how == "raise")
    assert program.run([], log, never) == 0


def test_a_run_can_be_stopped_and_its_process_is_recorded(program: LoadedCellProfiler, tmp_path: Path) -> None:
    log, record = tmp_path / "log", tmp_path / "record.json"
    assert program.run(["hang"], log, lambda: log.exists() and "said" in log.read_text(), record) is None
    pid = int(log.read_text().split()[2])
    assert str(pid) in record.read_text()
    assert not psutil.pid_exists(pid)
    assert program.run([], log, never) == 0


def test_what_cannot_be_loaded_is_left_to_an_ordinary_start(tmp_path: Path, variables: dict[str, str]) -> None:
    (tmp_path / "packages" / "cellprofiler" / "__main__.py").write_text("raise ImportError('wx')")
    with pytest.raises(Lost, match="ended with code 1"):
        LoadedCellProfiler(sys.executable, tmp_path, variables)
    assert loaded(sys.executable, tmp_path, variables) is None
    assert loaded(None, tmp_path, variables) is None
