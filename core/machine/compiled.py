"""Machine code for the loops over pixels: compiled by numba, kept on disk, in parts that can be cancelled.

Every module with such loops takes `njit` from here; see `kept_code` for where the code is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np
from numba import prange
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray

from cellspan.core.machine.cancelling import checkpoint
from cellspan.core.machine.kept_code import KeptCode
from cellspan.core.machine.processors import usable_processors
from cellspan.core.machine.turns import Turns

SHORT = 0.03  # seconds; parts of long work that take less are followed by larger ones
GROWTH = 8  # times the size of the first part


if usable_processors() == 1:
    # With a single processor, TBB has no thread of its own: a program whose first loop did not run in its main thread
    # would wait for ever at its end (numba issue 10556, oneTBB issue 2056).
    numba.config.THREADING_LAYER_PRIORITY = ["omp", "workqueue", "tbb"]  # type: ignore[attr-defined]


def njit(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """numba's decorator, with or without its options: the code is kept on disk, and other threads go on beside it.

    A loop that held the interpreter's lock would stall the engine, which answers all its clients from one thread.
    """

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(**{"nogil": True, **options, "cache": False})(function)
        if isinstance(dispatcher, Dispatcher):  # and not with NUMBA_DISABLE_JIT
            dispatcher._cache = KeptCode(function)  # type: ignore[attr-defined]
        return dispatcher

    return compiled if function is None else compiled(function)


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


__all__ = ["PARALLEL", "grouped", "njit", "parts", "prange"]
