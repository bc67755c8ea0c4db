"""Results that wait to be fetched: in memory as far as it is allowed, then in files without a name, then no further."""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.result import Result
from cellspan.core.service.errors import Refusal
from cellspan.core.service.jobs import SUMMARY, Job

IN_MEMORY = 1 << 30  # bytes
ON_DISK = 16 << 30  # bytes

log = logging.getLogger(__name__)


class Results:
    """What finished jobs have found; thread-safe.

    Results that their clients have not fetched are never thrown away to make room. Those that were, and are kept so
    that other thresholds can be tried, go first.
    """

    def __init__(self, in_memory: int = IN_MEMORY, on_disk: int = ON_DISK) -> None:
        """Bounds in bytes."""
        self._in_memory, self._on_disk = in_memory, on_disk
        self._lock = threading.Lock()
        self._sizes: dict[str, tuple[int, bool]] = {}  # of each job's result: bytes, and whether they are on disk

    def used(self) -> tuple[int, int]:
        """Bytes in memory and on disk."""
        with self._lock:
            return self._used()

    def check_room(self) -> None:
        """Refuse a new image while there is no room for what would be found in it; raises Refusal."""
        _, on_disk = self.used()
        if on_disk >= self._on_disk:
            raise _full(self._on_disk)

    def keep(self, job: Job, result: Result, fetched: Callable[[], Iterable[Job]]) -> None:
        """Keep a job's result, on disk if the memory for it is full; raises Refusal if the disk is, too.

        `fetched` gives the jobs whose results may go.
        """
        size = result.nbytes
        with self._lock:
            memory, disk = self._used()
            if memory + size > self._in_memory:
                self._make_room(memory + size - self._in_memory, fetched())
                memory, disk = self._used()
            to_disk = memory + size > self._in_memory
            if to_disk and disk + size > self._on_disk:
                raise _full(self._on_disk)
            self._sizes[job.id] = size, to_disk
        try:
            kept = spilled(result) if to_disk else result
        except OSError as error:
            self.drop(job)
            log.warning("results cannot be kept in %s: %s", tempfile.gettempdir(), error)
            raise _full(self._on_disk, f" ({error.strerror})") from None
        job.summary = {name: getattr(result, name) for name in SUMMARY}
        job.result = kept

    def drop(self, job: Job) -> None:
        """Free what a job's result takes."""
        with self._lock:
            self._sizes.pop(job.id, None)
        job.result = None

    def _used(self) -> tuple[int, int]:
        sizes = self._sizes.values()
        return sum(size for size, on_disk in sizes if not on_disk), sum(size for size, on_disk in sizes if on_disk)

    def _make_room(self, wanted: int, jobs: Iterable[Job]) -> None:
        for job in jobs:
            if wanted <= 0:
                return
            size, on_disk = self._sizes.get(job.id, (0, True))
            if size and not on_disk:
                del self._sizes[job.id]
                job.result = None
                wanted -= size


def spilled(result: Result) -> Result:
    """The same result with its arrays in files, which are gone with it, also if the process is killed."""
    arrays: dict[int, NDArray[Any]] = {}

    def in_file(array: NDArray[Any]) -> NDArray[Any]:
        if id(array) not in arrays:
            arrays[id(array)] = _in_file(array)
        return arrays[id(array)]

    seen = None if result.seen is None else replace(result.seen, outputs=in_file(result.seen.outputs))
    return replace(
        result,
        labels=in_file(result.labels),
        flows=in_file(result.flows),
        probability=in_file(result.probability),
        seen=seen,
    )


def _in_file(array: NDArray[Any]) -> NDArray[Any]:
    if not array.size:
        return array
    with tempfile.TemporaryFile(prefix="cellspan-result-") as file:
        # Written, not mapped, because a full disk is an error then and not the end of the process.
        np.ascontiguousarray(array).tofile(file)
        file.flush()
        return np.memmap(file, array.dtype, "r", shape=array.shape)


def _full(bound: int, reason: str = "") -> Refusal:
    return Refusal(
        507,
        "results_full",
        f"The engine keeps {bound / 1e9:.0f} GB of results that nobody has fetched{reason}; fetch or delete them, or "
        "try again in ten minutes.",
        {"Retry-After": "60"},
    )
