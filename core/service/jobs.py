"""Jobs: their states, their leases, and the table in which they are found by id and by key."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from cellspan.core.parameters import Parameters
from cellspan.core.result import Result
from cellspan.core.service.errors import Refusal

State = Literal["queued", "running", "done", "failed", "cancelled"]
LEASE_SECONDS = 600.0  # after the last question of its client a job is dropped, or its result
DISCONNECTED_SECONDS = 15.0  # the same after a client's connection broke while it waited
LONGEST_LEASE = 24 * 3600.0
LONGEST_KEY = 255  # characters
SUMMARY = ("count", "diameter", "model", "model_sha256", "device", "seconds", "notes")


class Work(Protocol):
    """What a job does when its turn comes."""

    is_long: bool  # a volume: many minutes, perhaps
    needs_network: bool  # else only the dynamics

    def run(self, on_progress: Callable[[float, str], None]) -> Result:
        """The result; raises CellspanError."""
        ...

    def close(self) -> None:
        """Free what the work keeps, such as the upload; called once, whatever happened."""
        ...


@dataclass
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
    summary: dict[str, Any] = field(default_factory=dict)  # of the result, as SUMMARY
    fetched: bool = False  # the client has had the labels
    handed_back: bool = False  # the engine stops: the client sends it to the next one
    seen: float = field(default_factory=time.monotonic)  # when its client last asked
    cancelled: threading.Event = field(default_factory=threading.Event)
    _watchers: list[Callable[[], None]] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether the state will not change any more."""
        return self.state in ("done", "failed", "cancelled")

    @property
    def urgent(self) -> bool:
        """Whether others make room: somebody waits, and not for long."""
        return self.interactive and not self.work.is_long

    def expired(self, now: float) -> bool:
        """Whether nobody has asked for so long that nobody will."""
        return now - self.seen > self.lease

    def touch(self) -> None:
        """Its client has asked: the lease begins once more."""
        self.seen = time.monotonic()

    def finish(self, state: State, message: str, code: str = "") -> None:
        """The last change of the state; those who watch are told."""
        self.message, self.code = message, code
        if state == "done":
            self.progress = 1.0
        self.state = state
        for tell in self._watchers:
            tell()

    def watch(self, tell: Callable[[], None]) -> None:
        """Call `tell` when the job is over, at once if it is already."""
        self._watchers.append(tell)
        if self.over:
            tell()

    def unwatch(self, tell: Callable[[], None]) -> None:
        """Do not call it any more."""
        self._watchers.remove(tell)

    def as_json(self) -> dict[str, Any]:
        """What GET /v1/jobs/{id} answers."""
        answer: dict[str, Any] = {
            "id": self.id,
            "state": self.state,
            "progress": round(self.progress, 3),
            "message": self.message,
        }
        if self.state == "failed":
            answer["error"] = {"code": self.code, "sentence": self.message, "fields": {}}
        if self.state == "done":
            answer["result"] = self.summary
        return answer


class JobTable:
    """All jobs of an engine; thread-safe."""

    def __init__(self) -> None:
        """Empty."""
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._keys: dict[str, Job] = {}

    def add(self, job: Job) -> Job:
        """The job itself, or the one that came before with the same key; raises Refusal if that was another image."""
        with self._lock:
            earlier = self._keys.get(job.key) if job.key is not None else None
            if earlier is not None:
                if earlier.fingerprint != job.fingerprint:
                    raise Refusal(
                        422, "key_taken", "This Idempotency-Key came with another image or other parameters before."
                    )
                earlier.touch()
                return earlier
            self._jobs[job.id] = job
            if job.key is not None:
                self._keys[job.key] = job
            return job

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

    def count(self) -> dict[State, int]:
        """How many there are in each state."""
        counts: dict[State, int] = dict.fromkeys(("queued", "running", "done", "failed", "cancelled"), 0)
        for job in self.all():
            counts[job.state] += 1
        return counts
