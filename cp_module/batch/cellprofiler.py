"""Finds CellProfiler on this computer, and runs its processes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from cellspan.core.errors import CellspanError

VARIABLE = "CELLSPAN_CELLPROFILER_PYTHON"
APPLICATIONS = {
    "darwin": [("/Applications", "CellProfiler*.app/Contents/MacOS/cp")],
    "win32": [("C:/Program Files", "CellProfiler*/CellProfiler.exe")],
}
GIVE_IT = "give the program, or the Python in which it is installed, with --cellprofiler PATH"
POLL_SECONDS = 0.2
END_SECONDS = 5.0  # to end before it is killed


@dataclass(frozen=True)
class CellProfiler:
    """The command that starts CellProfiler, and its Python (None for the applications)."""

    command: tuple[str, ...]
    python: str | None


def find_cellprofiler(given: Path | None) -> CellProfiler:
    """The given CellProfiler, or else the one in the environment variable, or else an installed one."""
    if given is not None:
        return _from_path(given.expanduser())
    if os.environ.get(VARIABLE):
        return _from_path(Path(os.environ[VARIABLE]))
    on_path = shutil.which("cellprofiler")
    if on_path:
        return _from_path(Path(on_path))
    for folder, pattern in APPLICATIONS.get(sys.platform, []):
        for program in sorted(Path(folder).glob(pattern), reverse=True):
            return _from_path(program)
    raise CellspanError(f"CellProfiler was not found on this computer; {GIVE_IT}.")


def _from_path(path: Path) -> CellProfiler:
    if path.suffix == ".app":
        path = path / "Contents" / "MacOS" / "cp"
    if not path.is_file() or not os.access(path, os.X_OK):
        raise CellspanError(f"{path}: CellProfiler was not found here; {GIVE_IT}.")
    if not path.name.lower().startswith("python"):
        return CellProfiler((str(path),), _python_of_script(path))
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('cellprofiler') is None)"
    try:
        known = subprocess.run([path, "-c", code], capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        raise CellspanError(f"{path}: this program cannot be run; {GIVE_IT}.") from None
    if known.returncode:
        raise CellspanError(f"{path}: this Python does not have CellProfiler; {GIVE_IT}.")
    return CellProfiler((str(path), "-m", "cellprofiler"), str(path))


def _python_of_script(path: Path) -> str | None:
    """The Python in the first line of an installed `cellprofiler` script."""
    with path.open("rb") as file:
        first = file.readline(300)
    found = re.match(rb"#!\s*(\S*python[\d.]*)\s*$", first)
    return os.fsdecode(found[1]) if found and Path(os.fsdecode(found[1])).is_file() else None


def environment() -> dict[str, str]:
    """The environment of the children: CellProfiler finds Java by JAVA_HOME."""
    variables = dict(os.environ)
    java = shutil.which("java")
    if "JAVA_HOME" not in variables and java is not None:
        home = Path(java).resolve().parents[1]
        if (home / "lib" / "server").is_dir():
            variables["JAVA_HOME"] = str(home)
    return variables


def run_process(
    command: Sequence[str],
    log: Path,
    variables: Mapping[str, str],
    stopped: Callable[[], bool] = lambda: False,
    record: Path | None = None,
) -> int | None:
    """Run to the end with all output in `log`; the exit code, or None if `stopped` said to end it.

    The process id is written to `record`, so that a later run can end leftovers of a killed run.
    """
    # In its own session, Ctrl-C does not reach it, so that we can end it in order.
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    with log.open("wb") as file:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, env=dict(variables), **apart
        )
    try:
        if record is not None:
            write_record(record, child.pid)
        while child.poll() is None:
            if stopped():
                return None
            time.sleep(POLL_SECONDS)
        return child.returncode
    finally:
        if child.poll() is None:
            end_tree(child.pid)
            child.wait()


def end_tree(pid: int) -> None:
    """End a process and its children, and kill those that do not end."""
    try:
        process = psutil.Process(pid)
        children = process.children(recursive=True)
    except psutil.NoSuchProcess:
        return
    family = [process, *(child for child in children if _same_session(child.pid, pid))]
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.terminate()
    _, alive = psutil.wait_procs(family, timeout=END_SECONDS)
    for member in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(alive, timeout=END_SECONDS)


def _same_session(child: int, parent: int) -> bool:
    """Whether to end a child process; not the engine, which other CellProfiler processes share."""
    if sys.platform == "win32":
        return True
    try:
        return os.getsid(child) == os.getsid(parent)
    except ProcessLookupError:
        return False


def write_record(record: Path, pid: int) -> None:
    """Write down which process runs, for a later run to end it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        content = {"host": host(), "pid": pid, "started": psutil.Process(pid).create_time()}
        record.write_text(json.dumps(content), encoding="utf-8")


def end_recorded(record: Path) -> None:
    """End the recorded process, if it is on this computer and still the same one."""
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        same = content["host"] == host() and psutil.Process(content["pid"]).create_time() == content["started"]
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return
    if same:
        end_tree(content["pid"])


def host() -> str:
    """The name of this machine."""
    import platform

    return platform.node()


def exit_words(code: int) -> str:
    """An exit code in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"killed by {name}" + (", perhaps because memory ran out" if name == "SIGKILL" else "")
