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

from cellspan.core.errors import Cancelled
from cellspan.core.planes.result import Result
from cellspan.core.service.client import SUMMARY
from cellspan.core.service.errors import Refusal
from cellspan.core.service.jobs import Job

IN_MEMORY = 1 << 30  # bytes
ON_DISK = 16 << 30  # bytes

Fetched = Callable[[], Iterable[Job]]

log = logging.getLogger(__name__)


class Results:
    """The results of finished jobs; thread-safe.

    Results that were not fetched are never deleted to free space. Fetched results, kept to try other thresholds, are
    deleted first.
    """

    def __init__(self, in_memory: int = IN_MEMORY, on_disk: int = ON_DISK) -> None:
        """Limits in bytes."""
        self._in_memory, self._on_disk = in_memory, on_disk
        self._lock = threading.Lock()
        self._sizes: dict[str, tuple[int, bool]] = {}  # for each job's result: bytes, and whether on disk

    def used(self) -> tuple[int, int]:
        """Bytes in memory and on disk."""
        with self._lock:
            return self._used()

    def check_room(self, fetched: Fetched) -> None:
        """Refuse a new image if there is no space for its results; raises Refusal."""
        with self._lock:
            if not self._fits(1, True, fetched):
                raise _full(self._on_disk)

    def keep(self, job: Job, result: Result, fetched: Fetched) -> None:
        """Keep a job's result, on disk if memory is full; raises Refusal if the disk is full too.

        `fetched` gives the jobs whose results may be deleted. Raises Cancelled if the job was deleted meanwhile,
        because its result would never be freed.
        """
        result = replace(result, preview=None)  # which only notebooks show
        size = result.nbytes
        with self._lock:
            if job.cancelled.is_set():
                raise Cancelled
            to_disk = not self._fits(size, False, fetched)
            if to_disk and not self._fits(size, True, fetched):
                raise _full(self._on_disk)
            self._sizes[job.id] = size, to_disk
        try:
            kept = spilled(result) if to_disk else result
        except OSError as error:
            self.drop(job)
            log.warning("results cannot be kept in %s: %s", tempfile.gettempdir(), error)
            raise _full(self._on_disk, f" ({error.strerror or error})") from None
        except BaseException:
            self.drop(job)
            raise
        with self._lock:
            if job.id not in self._sizes:
                raise Cancelled
            job.summary = {name: getattr(result, name) for name in SUMMARY}
            job.result = kept

    def drop(self, job: Job) -> None:
        """Free the space of a job's result."""
        with self._lock:
            self._sizes.pop(job.id, None)
            job.result = None

    def _used(self) -> tuple[int, int]:
        sizes = self._sizes.values()
        return sum(size for size, on_disk in sizes if not on_disk), sum(size for size, on_disk in sizes if on_disk)

    def _fits(self, size: int, on_disk: bool, fetched: Fetched) -> bool:
        """Whether there is space for this many bytes, if necessary after deleting other results."""
        bound, used = (self._on_disk if on_disk else self._in_memory), self._used()[on_disk]
        if size > bound:
            return False
        return used + size <= bound or self._make_room(used + size - bound, on_disk, fetched())

    def _make_room(self, wanted: int, on_disk: bool, jobs: Iterable[Job]) -> bool:
        """Delete results of these jobs until this many bytes are free, in memory or on disk; returns whether they are.

        Nothing is deleted if that would not free enough space.
        """
        going: list[Job] = []
        for job in jobs:
            size, is_on_disk = self._sizes.get(job.id, (0, on_disk))
            if size and is_on_disk == on_disk and wanted > 0:
                going.append(job)
                wanted -= size
        if wanted > 0:
            return False
        for job in going:
            del self._sizes[job.id]
            job.result = None
        return True


def spilled(result: Result) -> Result:
    """The same result with its arrays in files that disappear with it, even if the process is killed."""
    arrays: dict[int, NDArray[Any]] = {}

    def in_file(array: NDArray[Any]) -> NDArray[Any]:
        if id(array) not in arrays:
            arrays[id(array)] = _in_file(array)
        return arrays[id(array)]

    seen = None if result.seen is None else replace(result.seen, outputs=in_file(result.seen.outputs))
    return replace(
        result,
        restored=None if result.restored is None else in_file(result.restored),
        labels=in_file(result.labels),
        flows=in_file(result.flows),
        probability=in_file(result.probability),
        seen=seen,
    )


def _in_file(array: NDArray[Any]) -> NDArray[Any]:
    if not array.size:
        return array
    with tempfile.TemporaryFile(prefix="cellspan-result-") as file:
        # Written, not mapped: a full disk then raises an error instead of killing the process.
        file.write(np.ascontiguousarray(array).data)
        file.flush()
        return np.memmap(file, array.dtype, "r", shape=array.shape)


def _full(bound: int, reason: str = "") -> Refusal:
    return Refusal(
        507,
        "results_full",
        f"The engine keeps {bound / 1e9:.0f} GB of results that were not fetched{reason}; fetch or delete them, or "
        "try again in ten minutes.",
        {"Retry-After": "60"},
    )
