"""The queue: clients take turns, people who wait come first, and volumes leave a worker for images.

A job that may have crashed an engine (a suspect) runs alone, to identify the cause, and after a delay: otherwise, if
the engine is killed repeatedly, the same image would be blamed each time.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import OrderedDict, deque

from cellspan.core.service.errors import Refusal, stopping
from cellspan.core.service.jobs import Job

MOST_WAITING = 1000  # jobs of one device
HOLD = 5.0  # seconds that a suspect waits at least
PATIENCE = 30.0  # seconds that a suspect lets others go first
LOOK = 0.2  # seconds between checks whether it may start


class WaitingJobs:
    """The waiting jobs of one device; thread-safe."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        """Space for `most` jobs, plus a few for clients without any, so that one client cannot fill the queue."""
        self._most, self._reserve = most, max(1, most // 10)
        self._changed = threading.Condition()
        # Jobs of each client by urgency; the client whose turn it is comes first.
        self._lines: dict[bool, OrderedDict[str, deque[Job]]] = {True: OrderedDict(), False: OrderedDict()}
        self._running = 0  # running jobs
        self._long = 0  # volumes among them
        self._alone = False  # the running job is a suspect
        self._closed = False

    def __len__(self) -> int:
        """Number of waiting jobs."""
        with self._changed:
            return self._count()

    def put(self, job: Job) -> None:
        """Add a job; raises Refusal if there is no space, or after `close`."""
        with self._changed:
            if self._closed:
                raise stopping()
            newcomer = not any(job.client in line for line in self._lines.values())
            if self._count() >= self._most + (self._reserve if newcomer else 0):
                raise Refusal(
                    503,
                    "queue_full",
                    f"{self._most} images are waiting for the engine; try again later.",
                    {"Retry-After": "2"},
                )
            self._lines[job.urgent].setdefault(job.client, deque()).append(job)
            self._changed.notify_all()

    def take(self, urgent_only: bool, most_long: int) -> Job | None:
        """Wait for the next job and start it; None after `close`.

        While `most_long` volumes are running, other volumes wait; the caller reports finished jobs with `done`.
        """
        with self._changed:
            while True:
                if self._closed:
                    return None
                job = self._next(urgent_only, most_long)
                if job is not None:
                    self._running += 1
                    self._long += job.work.is_long
                    self._alone = job.suspect
                    job.begin()  # here, so that no job is visible outside the queue before it starts
                    return job
                self._changed.wait(LOOK if any(job.suspect for job in self._all()) else None)

    def done(self, job: Job) -> None:
        """Mark a taken job as finished."""
        with self._changed:
            self._running -= 1
            self._long -= job.work.is_long
            self._alone = False
            self._changed.notify_all()

    def drop(self, job: Job) -> bool:
        """Remove a waiting job; False if it is not waiting."""
        with self._changed:
            for line in self._lines.values():
                jobs = line.get(job.client, deque())
                if job in jobs:
                    jobs.remove(job)
                    if not jobs:
                        del line[job.client]
                    return True
            return False

    def before(self, job: Job) -> int:
        """Number of waiting jobs before this one, unless others arrive."""
        with self._changed:
            ahead = 0
            for urgent in (True, False):
                for round_ in itertools.zip_longest(*self._lines[urgent].values()):
                    for other in filter(None, round_):
                        if other is job:
                            return ahead
                        ahead += 1
            return 0

    def close(self) -> list[Job]:
        """Hand out no more jobs; returns those that waited."""
        with self._changed:
            self._closed = True
            left = self._all()
            self._lines = {True: OrderedDict(), False: OrderedDict()}
            self._changed.notify_all()
            return left

    def _all(self) -> list[Job]:
        return [job for line in self._lines.values() for jobs in line.values() for job in jobs]

    def _is_held(self, job: Job) -> bool:
        """Whether a suspect has to wait; see above."""
        waited = time.monotonic() - job.came
        others = any(not other.suspect for other in self._all())
        return job.suspect and (waited < HOLD or (others and waited < PATIENCE))

    def _count(self) -> int:
        return sum(len(jobs) for line in self._lines.values() for jobs in line.values())

    def _next(self, urgent_only: bool, most_long: int) -> Job | None:
        if self._alone:
            return None
        for urgent in (True,) if urgent_only else (True, False):
            line = self._lines[urgent]
            for client, jobs in line.items():
                for job in jobs:
                    if job.work.is_long and self._long >= most_long:
                        continue  # images of the same client may pass its volume
                    if self._is_held(job):
                        continue
                    if job.suspect and self._running:
                        if not self._long:
                            return None  # it starts when the running jobs have finished
                        most_long = 0  # do not wait for a volume, but start no other volume before it
                        continue
                    jobs.remove(job)
                    line.move_to_end(client)
                    if not jobs:
                        del line[client]
                    return job
        return None
