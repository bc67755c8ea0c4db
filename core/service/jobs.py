"""Jobs with their states and leases, and the table that finds them by id and by key."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from cellspan.core.parameters import Parameters
from cellspan.core.planes.result import Result
from cellspan.core.service.errors import Refusal

State = Literal["queued", "running", "done", "failed", "cancelled"]
LEASE_SECONDS = 600.0  # after the client's last request, until a job or its result is dropped
DISCONNECTED_SECONDS = 15.0  # the same if the client's connection broke while it waited
LONGEST_LEASE = 24 * 3600.0
LONGEST_KEY = 255  # characters
MOST_KEPT = 20_000  # waiting, running, and finished jobs in the table


class Work(Protocol):
    """The work of a job."""

    is_long: bool  # a volume, which may take many minutes

    def run(self, on_progress: Callable[[float, str], None]) -> Result:
        """The result; raises CellspanError."""
        ...

    def close(self) -> None:
        """Free resources such as the upload; always called at the end, and safe to call again."""
        ...


@dataclass(eq=False)  # jobs are compared by identity, because arrays cannot be compared
class Job:
    """One image on its way to labels."""

    work: Work
    parameters: Parameters
    device: str
    client: str  # clients take turns
    interactive: bool = False  # a person is waiting
    key: str | None = None
    fingerprint: str = ""  # of the image and the parameters that came with the key
    lease: float = LEASE_SECONDS
    strikes: int = 0  # number of engines that died while it was running
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    state: State = "queued"
    progress: float = 0.0
    message: str = "waiting for the engine"
    code: str = ""  # of a failure
    result: Result | None = None
    summary: dict[str, Any] = field(default_factory=dict)  # of the result, with the client's names (SUMMARY)
    fetched: bool = False  # the client has fetched the labels
    handed_back: bool = False  # the engine is stopping; the client sends it to the next engine
    came: float = field(default_factory=time.monotonic)
    seen: float = field(default_factory=time.monotonic)  # time of the client's last request
    away: bool = False  # the client's connection broke while it waited
    promise: float | None = None  # seconds within which the client said it would ask again, while the job is not over
    cancelled: threading.Event = field(default_factory=threading.Event)
    _watchers: list[Callable[[], None]] = field(default_factory=list)
    _watching: threading.Lock = field(default_factory=threading.Lock)

    @property
    def over(self) -> bool:
        """Whether the state is final."""
        return self.state in ("done", "failed", "cancelled")

    @property
    def urgent(self) -> bool:
        """Whether other jobs pause for it: a person is waiting for a short job."""
        return self.interactive and not self.work.is_long

    def expired(self, now: float) -> bool:
        """Whether its client has sent no request for too long; never while a client waits for a response."""
        if self._watchers:
            return False
        limits = [self.lease]
        if self.away:
            limits.append(DISCONNECTED_SECONDS)
        if self.promise is not None and not self.over:
            limits.append(self.promise)
        return now - self.seen > min(limits)

    def touch(self) -> None:
        """Renew the lease after a request of its client."""
        self.seen, self.away, self.promise = time.monotonic(), False, None

    def lose_client(self) -> None:
        """Give the client a moment to reconnect after its connection broke."""
        self.seen, self.away = time.monotonic(), True

    @property
    def suspect(self) -> bool:
        """Whether it may have crashed an engine; it then runs alone, to identify the cause."""
        return self.strikes > 0

    def begin(self) -> None:
        """Start the job."""
        self.message = "starting"
        self.state = "running"

    def finish(self, state: State, message: str, code: str = "") -> None:
        """Set the final state and tell those who watch."""
        self.message, self.code = message, code
        if state == "done":
            self.progress = 1.0
        self.state = state
        self.tell()

    def tell(self) -> None:
        """Tell those who watch that the job is finished, deleted or returned."""
        with self._watching:  # the list may change meanwhile
            watchers = list(self._watchers)
        for tell in watchers:
            tell()

    def watch(self, tell: Callable[[], None]) -> None:
        """Call `tell` on changes, or at once if the job has already finished."""
        with self._watching:
            self._watchers.append(tell)
        if self.over:
            tell()

    def unwatch(self, tell: Callable[[], None]) -> None:
        """Stop calling it."""
        with self._watching:
            self._watchers.remove(tell)

    def as_json(self, message: str | None = None, **queue: int) -> dict[str, Any]:
        """The response of GET /v1/jobs/{id}; `message` replaces the job's own, `queue` tells of other jobs."""
        state = self.state  # read once, because a worker may change it
        answer: dict[str, Any] = {
            "id": self.id,
            "state": state,
            "progress": round(self.progress, 3),
            "message": self.message if message is None else message,
            **queue,
        }
        if state == "failed":
            answer["error"] = {"code": self.code, "sentence": self.message, "fields": {}}
        if state == "done":
            answer["result"] = self.summary
        return answer


class JobTable:
    """All jobs of an engine; thread-safe."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        """Room for `most` jobs."""
        self._most = most
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._keys: dict[str, Job] = {}

    def add(self, job: Job) -> Job:
        """The job itself, or the earlier job with the same key; raises Refusal if that was another image."""
        with self._lock:
            earlier = self._with_key(job.key, job.fingerprint)
            if earlier is not None:
                return earlier
            if len(self._jobs) >= self._most:
                raise Refusal(
                    503,
                    "too_many_jobs",
                    f"The engine already has {self._most} jobs; delete finished jobs or try again later.",
                    {"Retry-After": "10"},
                )
            self._jobs[job.id] = job
            if job.key is not None:
                self._keys[job.key] = job
            return job

    def with_key(self, key: str | None, fingerprint: str) -> Job | None:
        """The job with this key, if any; raises Refusal if that was another image."""
        with self._lock:
            return self._with_key(key, fingerprint)

    def _with_key(self, key: str | None, fingerprint: str) -> Job | None:
        earlier = None if key is None else self._keys.get(key)
        if earlier is not None:
            if earlier.fingerprint != fingerprint:
                raise Refusal(
                    422, "key_taken", "This Idempotency-Key was already used with another image or other parameters."
                )
            earlier.touch()
        return earlier

    def get(self, job_id: str) -> Job | None:
        """A job by its id; renews its lease."""
        with self._lock:
            job = self._jobs.get(job_id)
        if job is not None:
            job.touch()
        return job

    def remove(self, job: Job) -> None:
        """Delete the job and its key."""
        with self._lock:
            self._jobs.pop(job.id, None)
            if job.key is not None and self._keys.get(job.key) is job:
                del self._keys[job.key]

    def all(self) -> list[Job]:
        """All jobs, oldest first."""
        with self._lock:
            return list(self._jobs.values())

    def fetched(self) -> list[Job]:
        """Finished jobs that their clients have fetched, least recently requested first."""
        return sorted((job for job in self.all() if job.fetched), key=lambda job: job.seen)

    def count(self) -> dict[State, int]:
        """Number of jobs in each state."""
        counts: dict[State, int] = dict.fromkeys(("queued", "running", "done", "failed", "cancelled"), 0)
        for job in self.all():
            counts[job.state] += 1
        return counts
