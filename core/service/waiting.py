"""Which job is next: clients take turns, those who sit and wait come first, volumes leave a worker to the others.

A job that may have ended an engine (a suspect) is worked on alone, so that the guilty one is known, and not at once: an
engine that somebody kills again and again would else seem to be ended by the same image each time.
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
PATIENCE = 30.0  # seconds that it lets others go first
LOOK = 0.2  # seconds between two looks whether it may go


class WaitingJobs:
    """The jobs that wait for one device; thread-safe."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        """Room for `most` jobs, and for a few more of clients that have none there: one client cannot take it all."""
        self._most, self._reserve = most, max(1, most // 10)
        self._changed = threading.Condition()
        # Of each client its jobs, the client whose turn it is first; by urgency.
        self._lines: dict[bool, OrderedDict[str, deque[Job]]] = {True: OrderedDict(), False: OrderedDict()}
        self._running = 0  # jobs that are being worked on
        self._long = 0  # volumes among them
        self._alone = False  # the one that is being worked on is a suspect
        self._closed = False

    def __len__(self) -> int:
        """How many wait."""
        with self._changed:
            return self._count()

    def put(self, job: Job) -> None:
        """Let a job wait; raises Refusal if there is no room, or after `close`."""
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
        """The next job, which is running then, as soon as there is one; None when there will be none any more.

        While `most_long` volumes are being worked on, others wait; the taker says when it has done one (`done`).
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
                    job.begin()  # here, so that a job is never seen outside the queue and not begun
                    return job
                self._changed.wait(LOOK if any(job.suspect for job in self._all()) else None)

    def done(self, job: Job) -> None:
        """The taker has done it."""
        with self._changed:
            self._running -= 1
            self._long -= job.work.is_long
            self._alone = False
            self._changed.notify_all()

    def drop(self, job: Job) -> bool:
        """Let a job wait no longer; False if it does not wait."""
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
        """How many jobs that wait now will come before this one, as long as no others come."""
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
        """Nobody gets a job any more; those that waited."""
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
                        continue  # the client's images may pass its volume
                    if self._is_held(job):
                        continue
                    if job.suspect and self._running:
                        if not self._long:
                            return None  # what is being worked on is over in a moment, and then it is its turn
                        most_long = 0  # a volume is not waited for, but no other one is begun before it
                        continue
                    jobs.remove(job)
                    line.move_to_end(client)
                    if not jobs:
                        del line[client]
                    return job
        return None
