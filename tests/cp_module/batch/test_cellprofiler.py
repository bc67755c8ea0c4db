"""CellProfiler's processes end with all that is theirs, and nothing that others use ends with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cellspan.core.errors import CellspanError
from cellspan.cp_module.batch.cellprofiler import (
    end_recorded,
    end_tree,
    environment,
    exit_words,
    find_cellprofiler,
    host,
    run_process,
)

pytestmark = pytest.mark.quick

PARENT = """
import subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
own = subprocess.Popen(sleep)
engine = subprocess.Popen(sleep, start_new_session=True)
print(own.pid, engine.pid, flush=True)
time.sleep(60)
"""


def running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.platform == "win32", reason="sessions")
def test_the_engine_that_a_process_started_outlives_it() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert parent.stdout is not None
    own, engine = map(int, parent.stdout.readline().split())
    try:
        end_tree(parent.pid)
        parent.wait(10)
        assert not running(own)
        assert running(engine)
    finally:
        psutil.Process(engine).kill()
    parent.stdout.close()


def test_ending_what_is_gone_is_no_error() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    end_tree(gone.pid)


def test_a_process_is_ended_when_it_is_asked_to(tmp_path: Path) -> None:
    started = time.monotonic()
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    code = run_process(sleep, tmp_path / "log", dict(os.environ), lambda: True, tmp_path / "record")
    assert code is None
    assert time.monotonic() - started < 30
    assert not running(json.loads((tmp_path / "record").read_text())["pid"])


def test_another_process_of_the_same_number_is_left_alone(tmp_path: Path) -> None:
    """After a restart of the computer the numbers are given anew."""
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        for record in ({"host": host(), "pid": other.pid, "started": 1.0}, {"host": "elsewhere", "pid": other.pid}):
            (tmp_path / "record").write_text(json.dumps(record))
            end_recorded(tmp_path / "record")
            assert running(other.pid)
    finally:
        other.kill()
        other.wait()


def test_java_is_found_by_its_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "jdk"
    (home / "bin").mkdir(parents=True)
    (home / "lib" / "server").mkdir(parents=True)
    (home / "bin" / "java").write_text("")
    (home / "bin" / "java").chmod(0o755)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(home / "bin"))
    assert environment()["JAVA_HOME"] == str(home)
    monkeypatch.setenv("JAVA_HOME", "/the/users/own")
    assert environment()["JAVA_HOME"] == "/the/users/own"


def test_a_python_without_cellprofiler_is_said_so() -> None:
    with pytest.raises(CellspanError, match=r"this Python does not have CellProfiler; give the program"):
        find_cellprofiler(Path(sys.executable))


def test_the_script_of_an_installation_tells_its_python(tmp_path: Path) -> None:
    script = tmp_path / "cellprofiler"
    script.write_text(f"#!{sys.executable}\n")
    script.chmod(0o755)
    found = find_cellprofiler(script)
    assert found.command == (str(script),)
    assert found.python == sys.executable


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, "exit code 1"),
        (-9, "killed by SIGKILL, perhaps because memory ran out"),
        (-100, "killed by signal 100"),
    ],
)
def test_exit_codes_in_words(code: int, words: str) -> None:
    assert exit_words(code) == words
