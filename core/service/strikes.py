"""Records which images were running when an engine died, to name an image that crashes two engines.

A running job leaves a mark with its process id in a folder. The next engine finds the marks of an engine that died, and
stores them by job key, with which clients send the jobs again. Marks of an engine that released its claim but still
runs jobs are kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cellspan.core.machine.processes import has_ended

MOST = 2  # engines that an image may crash
KEPT_SECONDS = 3600.0  # lifetime of a mark whose job is not sent again


class _Mark(NamedTuple):
    """The name of a mark: NAME.STRIKES of a waiting job, NAME.STRIKES.PID.running of a running job."""

    name: str
    strikes: int
    pid: int | None


class Strikes:
    """Marks in a folder."""

    def __init__(self, folder: Path | None, pid: int | None = None) -> None:
        """Count the marks of engines that died; without a folder nothing is recorded. `pid`: this engine's."""
        self._folder, self._pid = folder, os.getpid() if pid is None else pid
        if folder is None:
            return
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            for path in list(folder.iterdir()):
                with contextlib.suppress(OSError):  # marks that cannot be changed do not count
                    self._inherit(path)

    def _inherit(self, path: Path) -> None:
        """Add a strike to each job that was running when its engine died; remove old marks."""
        mark = _meaning(path)
        if mark is None:
            return
        if mark.pid is None:
            if time.time() - path.stat().st_mtime > KEPT_SECONDS:
                path.unlink()
        elif mark.pid == self._pid or has_ended(mark.pid):  # in a container, each engine has the same number
            struck = path.with_name(f"{mark.name}.{mark.strikes + 1}")
            path.replace(struck)
            os.utime(struck)  # it may have been running for hours

    def of(self, key: str | None) -> int:
        """Number of engines that died while the job with this key was running."""
        if key is None or self._folder is None:
            return 0
        with contextlib.suppress(OSError):
            marks = filter(None, map(_meaning, self._folder.glob(f"{_name(key)}.*")))
            return max((mark.strikes for mark in marks), default=0)
        return 0

    def forgive(self) -> None:
        """Remove the marks of running jobs, because this engine stops for another reason."""
        if self._folder is not None:
            with contextlib.suppress(OSError):
                for path in self._folder.glob(f"*.{self._pid}.running"):
                    path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def running(self, key: str | None, count: int) -> Iterator[None]:
        """Mark the job with this key as running; after it has finished, its strikes are deleted."""
        if key is None or self._folder is None:
            yield
            return
        name = _name(key)
        mark = self._folder / f"{name}.{count}.{self._pid}.running"
        with contextlib.suppress(OSError):
            mark.touch(mode=0o600)
            (self._folder / f"{name}.{count}").unlink(missing_ok=True)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                mark.unlink(missing_ok=True)


def _meaning(path: Path) -> _Mark | None:
    """None for files that are not marks."""
    found = re.fullmatch(r"([0-9a-f]{32})\.(\d{1,3})(?:\.(\d{1,10})\.running)?", path.name, re.ASCII)
    return None if found is None else _Mark(found[1], int(found[2]), int(found[3]) if found[3] else None)


def _name(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]
