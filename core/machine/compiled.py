"""Machine code for the loops over pixels: compiled by numba once per installation, kept where it can be written.

Every module with such loops takes `njit` from here, so that the folder is chosen before numba is loaded.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from cellspan.core.machine.cancelling import checkpoint
from cellspan.core.machine.turns import Turns

FOLDER_VARIABLE = "NUMBA_CACHE_DIR"  # numba's own name for it
PATIENCE = 2.0  # seconds of compiling after which people are told what they wait for
SHORT = 0.03  # seconds; parts of long work that take less are followed by larger ones
GROWTH = 8  # times the size of the first part

log = logging.getLogger(__name__)


def cache_folder(package: Path, user: Path) -> Path | None:
    """Where compiled code goes: None = beside the package's files, as numba likes it, else the first that is writable.

    A read-only installation (an administrator's, a container's) uses the user's cache; without a writable home, a
    folder for this process only, because a shared one could be filled by somebody else.
    """
    if os.access(package, os.W_OK):
        return None
    try:
        user.mkdir(parents=True, exist_ok=True)
        if os.access(user, os.W_OK):
            return user
    except OSError:
        pass
    private = tempfile.mkdtemp(prefix="cellspan-numba-")
    atexit.register(shutil.rmtree, private, ignore_errors=True)
    return Path(private)


if FOLDER_VARIABLE not in os.environ:
    _folder = cache_folder(Path(__file__).parent, user_cache_path("cellspan", appauthor=False) / "numba")
    if _folder is not None:
        os.environ[FOLDER_VARIABLE] = str(_folder)

import numba  # noqa: E402
from numba import prange  # noqa: E402
from numba.core import event  # noqa: E402


def njit(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """numba's decorator, with or without its options: the code is kept on disk, and other threads go on beside it.

    A loop that held the interpreter's lock would stall the engine, which answers all its clients from one thread.
    """
    options = {"cache": True, "nogil": True, **options}
    return numba.njit(**options) if function is None else numba.njit(**options)(function)


def parts(count: int, size: int) -> Iterator[tuple[int, int]]:
    """The ranges (first, end) into which long work on `count` things is cut; raises Cancelled before each.

    For loops of machine code, which nobody can stop before they return. The first has `size` things; as long as parts
    take less than SHORT seconds, the next are larger, because starting many loops costs time where processors are busy.
    """
    smallest = step = max(1, int(size))
    first, started = 0, 0.0
    while first < count:
        checkpoint()
        quick = started > 0 and time.perf_counter() - started < SHORT
        step = min(2 * step, GROWTH * smallest) if quick else smallest
        started = time.perf_counter()
        yield first, min(first + step, count)
        first += step


def grouped(work: NDArray[np.float64], most: float) -> Iterator[NDArray[np.int64]]:
    """Indices of things that need so much work each, in groups of at most `most`; raises Cancelled before each group.

    What is more than that by itself is alone in its group, and does well to look for itself.
    """
    ends = np.cumsum(work)
    first = 0
    while first < len(work):
        checkpoint()
        done = ends[first - 1] if first else 0
        end = max(first + 1, int(np.searchsorted(ends, done + most, side="right")))
        yield np.arange(first, end)
        first = end


# Only what takes long is parallel (following flows, diffusion, pieces of volumes): where other programs have work too,
# every parallel loop waits some milliseconds for its last thread, in which a simple pass over an image is done.
# Where numba finds neither OpenMP nor TBB, two parallel loops at once would end the process. Whoever has much to do
# takes a turn for each part of it, a few tenths of a second, so that others come in between.
PARALLEL = Turns()


class _Announcer(event.Listener):
    """Says once, in the log (and so on the terminal), that compiling takes a while."""

    def __init__(self) -> None:
        self._spent = 0.0
        self._depth = 0  # compiling a function compiles those that it calls
        self._start = 0.0
        self._timer: threading.Timer | None = None

    def on_start(self, event: Any) -> None:
        """Something is not in the cache."""
        self._depth += 1
        if self._depth == 1 and self._spent < PATIENCE:
            self._start = time.perf_counter()
            self._timer = threading.Timer(PATIENCE - self._spent, log.warning, [MESSAGE])
            self._timer.daemon = True
            self._timer.start()

    def on_end(self, event: Any) -> None:
        """It is ready."""
        self._depth -= 1
        if self._depth == 0 and self._timer is not None:
            self._timer.cancel()
            self._spent += time.perf_counter() - self._start


MESSAGE = "Preparing the computation for this computer; it takes about 20 seconds and happens once per installation."
event.register("numba:compile", _Announcer())

__all__ = ["PARALLEL", "cache_folder", "grouped", "njit", "parts", "prange"]
