"""Runs CellProfiler many times without loading it anew: asks a process that has it loaded (preloaded.py) for copies."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from cellspan.cp_module.batch.cellprofiler import (
    POLL_SECONDS,
    CellProfiler,
    end_tree,
    environment,
    run_process,
    write_record,
)

SCRIPT = Path(__file__).parent / "preloaded.py"
_own = threading.local()  # each thread that runs ranges has a process of its own
_all: list[LoadedCellProfiler] = []


class Lost(Exception):
    """The process that has CellProfiler loaded could not load it, or has ended."""


class LoadedCellProfiler:
    """A process that has CellProfiler and the plugins loaded; it ends when this one does."""

    def __init__(self, python: str, plugins: Path, variables: Mapping[str, str]) -> None:
        """Start it; raises Lost if CellProfiler cannot be loaded."""
        self._process = subprocess.Popen(
            [python, str(SCRIPT), str(plugins)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(variables),
            text=True,
            start_new_session=True,  # Ctrl-C does not reach it
        )
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="cellprofiler")
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def run(
        self, arguments: Sequence[str], log: Path, stopped: Callable[[], bool], record: Path | None = None
    ) -> int | None:
        """Run CellProfiler with these arguments to its end; see `cellprofiler.run_process`. Raises Lost."""
        pid = self._ask({"argv": ["cellprofiler", *arguments], "log": str(log)})["pid"]
        ending: Future[dict[str, Any]] = self._reader.submit(self._answer)
        try:
            if record is not None:
                write_record(record, pid)
            while True:
                if wait([ending], POLL_SECONDS).done:
                    return int(ending.result()["code"])
                if stopped():
                    return None
        finally:
            if not ending.done():
                end_tree(pid)
                ending.result()

    def close(self) -> None:
        """End it."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process.wait()
        self._reader.shutdown()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise Lost(str(error)) from None
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise Lost(f"it ended with code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def run_cellprofiler(
    cellprofiler: CellProfiler,
    plugins: Path,
    arguments: Sequence[str],
    log: Path,
    stopped: Callable[[], bool],
    record: Path,
) -> int | None:
    """Run CellProfiler with these arguments, in a copy of a loaded one if there can be one; see `run_process`."""
    variables = environment()
    program = loaded(cellprofiler.python, plugins, variables)
    if program is not None:
        with contextlib.suppress(Lost):
            return program.run(arguments, log, stopped, record)
    return run_process([*cellprofiler.command, *arguments], log, variables, stopped, record)


def loaded(python: str | None, plugins: Path, variables: Mapping[str, str]) -> LoadedCellProfiler | None:
    """This thread's loaded CellProfiler; None where processes cannot be copied, or where it could not be loaded.

    Then CellProfiler is started anew for each range, whose log tells what is wrong with it.
    """
    if python is None or sys.platform != "linux":  # macOS has fork too, but its own libraries do not survive it
        return None
    key, known = (python, str(plugins)), getattr(_own, "known", None)
    if known is None or known[0] != key or (known[1] and not known[1].is_alive):
        try:
            _own.known = key, LoadedCellProfiler(python, plugins, variables)
            _all.append(_own.known[1])
        except (Lost, OSError, ValueError):
            _own.known = key, None
    found: LoadedCellProfiler | None = _own.known[1]
    return found


def close_loaded() -> None:
    """End all loaded CellProfilers of this process; the threads that had them are over."""
    while _all:
        _all.pop().close()
