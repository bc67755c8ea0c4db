"""Which images ran when an engine died: an image that ends two engines is named, its neighbours are simply done again.

A running job leaves a mark in a folder. The next engine finds the marks of one that died, and remembers them by the
jobs' keys, with which their clients send them again.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

MOST = 2  # engines that an image may end
KEPT_SECONDS = 3600.0  # a mark whose job was never sent again


class Strikes:
    """Marks in a folder, which belongs to one engine at a time."""

    def __init__(self, folder: Path | None) -> None:
        """Count what an engine that died has left; without a folder nothing is remembered."""
        self._folder = folder
        if folder is None:
            return
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            for mark in folder.glob("*.running"):
                name, count, _ = mark.name.split(".")
                mark.replace(folder / f"{name}.{int(count) + 1}")
            for mark in folder.iterdir():
                if time.time() - mark.stat().st_mtime > KEPT_SECONDS:
                    mark.unlink()

    def of(self, key: str | None) -> int:
        """How many engines ended while the job with this key ran."""
        if key is None or self._folder is None:
            return 0
        with contextlib.suppress(OSError, ValueError):
            return max((int(mark.suffix[1:]) for mark in self._folder.glob(f"{_name(key)}.*")), default=0)
        return 0

    @contextlib.contextmanager
    def running(self, key: str | None, count: int) -> Iterator[None]:
        """The job with this key runs, after so many strikes; when it is over, they are forgotten."""
        if key is None or self._folder is None:
            yield
            return
        name = _name(key)
        mark = self._folder / f"{name}.{count}.running"
        with contextlib.suppress(OSError):
            mark.touch(mode=0o600)
            (self._folder / f"{name}.{count}").unlink(missing_ok=True)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                mark.unlink()


def _name(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]
