"""Jobs: their states, their leases, and the table in which they are found by id and by key."""

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
LEASE_SECONDS = 600.0  # after the last question of its client a job is dropped, or its result
DISCONNECTED_SECONDS = 15.0  # the same after a client's connection broke while it waited
LONGEST_LEASE = 24 * 3600.0
LONGEST_KEY = 255  # characters
MOST_KEPT = 20_000  # jobs that are waited for, under way, or over and not forgotten yet


class Work(Protocol):
    """What a job does when its turn comes."""

    is_long: bool  # a volume: many minutes, perhaps

    def run(self, on_progress: Callable[[float, str], None]) -> Result:
        """The result; raises CellspanError."""
        ...

    def close(self) -> None:
        """Free what the work keeps, such as the upload; called whatever happened, and harmless if called again."""
        ...


@dataclass(eq=False)  # two jobs are never the same, and comparing their arrays would be an error
class Job:
    """One image on its way to labels."""

    work: Work
    parameters: Parameters
    device: str
    client: str  # whose turn it is, among clients
    interactive: bool = False  # somebody sits and waits
    key: str | None = None
    fingerprint: str = ""  # of the image and the parameters that came with the key
    lease: float = LEASE_SECONDS
    strikes: int = 0  # how often an engine ended while it ran
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    state: State = "queued"
    progress: float = 0.0
    message: str = "waiting for the engine"
    code: str = ""  # of a failure
    result: Result | None = None
    summary: dict[str, Any] = field(default_factory=dict)  # of the result, as the client names it (SUMMARY)
    fetched: bool = False  # the client has had the labels
    handed_back: bool = False  # the engine stops: the client sends it to the next one
    came: float = field(default_factory=time.monotonic)
    seen: float = field(default_factory=time.monotonic)  # when its client last asked
    away: bool = False  # the connection of its client broke while it waited
    cancelled: threading.Event = field(default_factory=threading.Event)
    _watchers: list[Callable[[], None]] = field(default_factory=list)
    _watching: threading.Lock = field(default_factory=threading.Lock)

    @property
    def over(self) -> bool:
        """Whether the state will not change any more."""
        return self.state in ("done", "failed", "cancelled")

    @property
    def urgent(self) -> bool:
        """Whether others make room: somebody waits, and not for long."""
        return self.interactive and not self.work.is_long

    def expired(self, now: float) -> bool:
        """Whether nobody has asked for so long that nobody will; never while a client waits for an answer."""
        if self._watchers:
            return False
        return now - self.seen > (min(self.lease, DISCONNECTED_SECONDS) if self.away else self.lease)

    def touch(self) -> None:
        """Its client has asked: the lease begins once more."""
        self.seen, self.away = time.monotonic(), False

    def lose_client(self) -> None:
        """The connection of its client broke: it has a moment to come back."""
        self.seen, self.away = time.monotonic(), True

    @property
    def suspect(self) -> bool:
        """Whether it may have ended an engine: it runs alone, so that the guilty one is known."""
        return self.strikes > 0

    def begin(self) -> None:
        """It is its turn."""
        self.message = "starting"
        self.state = "running"

    def finish(self, state: State, message: str, code: str = "") -> None:
        """The last change of the state; those who watch are told."""
        self.message, self.code = message, code
        if state == "done":
            self.progress = 1.0
        self.state = state
        self.tell()

    def tell(self) -> None:
        """Those who watch should look again: the job is over, deleted or handed back."""
        with self._watching:  # others come and go meanwhile
            watchers = list(self._watchers)
        for tell in watchers:
            tell()

    def watch(self, tell: Callable[[], None]) -> None:
        """Call `tell` when there is something to see, at once if the job is over already."""
        with self._watching:
            self._watchers.append(tell)
        if self.over:
            tell()

    def unwatch(self, tell: Callable[[], None]) -> None:
        """Do not call it any more."""
        with self._watching:
            self._watchers.remove(tell)

    def as_json(self, message: str | None = None) -> dict[str, Any]:
        """What GET /v1/jobs/{id} answers; `message` instead of the job's own."""
        state = self.state  # once, because a worker may change it meanwhile
        answer: dict[str, Any] = {
            "id": self.id,
            "state": state,
            "progress": round(self.progress, 3),
            "message": self.message if message is None else message,
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
        """The job itself, or the one that came before with the same key; raises Refusal if that was another image."""
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
        """The job that came with this key, if there is one; raises Refusal if that was another image."""
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
        """A job by its id; its lease begins once more."""
        with self._lock:
            job = self._jobs.get(job_id)
        if job is not None:
            job.touch()
        return job

    def remove(self, job: Job) -> None:
        """Forget it, and its key."""
        with self._lock:
            self._jobs.pop(job.id, None)
            if job.key is not None and self._keys.get(job.key) is job:
                del self._keys[job.key]

    def all(self) -> list[Job]:
        """As they came."""
        with self._lock:
            return list(self._jobs.values())

    def fetched(self) -> list[Job]:
        """Those that their clients have had, those that were asked for least recently first."""
        return sorted((job for job in self.all() if job.fetched), key=lambda job: job.seen)

    def count(self) -> dict[State, int]:
        """How many there are in each state."""
        counts: dict[State, int] = dict.fromkeys(("queued", "running", "done", "failed", "cancelled"), 0)
        for job in self.all():
            counts[job.state] += 1
        return counts
