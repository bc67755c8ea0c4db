"""Jobs: one queue and one worker thread per device, warm models, progress, cancelling, results for a while."""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from cellspan.core.errors import Cancelled, CellspanError
from cellspan.core.images import Image
from cellspan.core.inference.predictor import resolve_device
from cellspan.core.models.registry import find_model
from cellspan.core.parameters import Parameters
from cellspan.core.segmenter import Result, Segmenter
from cellspan.core.volumes.volume import Volume

State = Literal["queued", "running", "done", "failed", "cancelled"]
WARM_MODELS = 4
KEPT_BYTES = 1 << 30  # of results that no client has deleted
KEPT_SECONDS = 600.0

log = logging.getLogger(__name__)


@dataclass
class Job:
    """One image on its way to labels."""

    decode: Callable[[], Image | Volume] | None  # None once it is over, so that the upload is not kept
    parameters: Parameters
    device: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    state: State = "queued"
    progress: float = 0.0
    message: str = "waiting for the engine"
    result: Result | None = None
    ended: float | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def over(self) -> bool:
        """Whether the state will not change any more."""
        return self.state in ("done", "failed", "cancelled")

    def as_json(self) -> dict[str, Any]:
        """What GET /v1/jobs/{id} answers."""
        answer: dict[str, Any] = {
            "id": self.id,
            "state": self.state,
            "progress": round(self.progress, 3),
            "message": self.message,
        }
        if self.result is not None:
            names = ("count", "diameter", "model", "model_sha256", "device", "seconds", "notes")
            answer["result"] = {name: getattr(self.result, name) for name in names}
        return answer


class Jobs:
    """All jobs of a service; thread-safe."""

    def __init__(self) -> None:
        """Workers start when their device is first asked for."""
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._keys: dict[str, str] = {}
        self._queues: dict[str, queue.Queue[Job]] = {}
        self._segmenters: OrderedDict[tuple[str, str, str], Segmenter] = OrderedDict()
        self.last_activity = time.monotonic()

    def submit(
        self, decode: Callable[[], Image | Volume], parameters: Parameters, device: str, key: str | None = None
    ) -> Job:
        """Queue an image; the same key gives the same job. Raises CellspanError for an unknown model or device."""
        find_model(parameters.model)
        device = resolve_device(device)
        with self._lock:
            self.last_activity = time.monotonic()
            self._drop_old_results()
            if key is not None and key in self._keys:
                return self._jobs[self._keys[key]]
            job = Job(decode, parameters, device)
            self._jobs[job.id] = job
            if key is not None:
                self._keys[key] = job.id
            self._queue(device).put(job)
            return job

    def get(self, job_id: str) -> Job | None:
        """A job by its id."""
        self.last_activity = time.monotonic()
        with self._lock:
            return self._jobs.get(job_id)

    def delete(self, job_id: str) -> bool:
        """Cancel the job if it is under way, and forget it; False if it is unknown."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None:
                return False
            job.cancelled.set()
            self._forget(job_id)
            return True

    @property
    def busy(self) -> bool:
        """Whether any job waits or runs."""
        with self._lock:
            return any(not job.over for job in self._jobs.values())

    def cancel_all(self) -> None:
        """Let every job end at its next step: the service is stopping."""
        with self._lock:
            for job in self._jobs.values():
                job.cancelled.set()

    def _queue(self, device: str) -> queue.Queue[Job]:
        if device not in self._queues:
            self._queues[device] = queue.Queue()
            worker = threading.Thread(target=self._work, args=(self._queues[device],), name=device, daemon=True)
            worker.start()
        return self._queues[device]

    def _work(self, waiting: queue.Queue[Job]) -> None:
        while True:
            job = waiting.get()
            self._run(job)
            job.decode = None
            job.ended = self.last_activity = time.monotonic()

    def _run(self, job: Job) -> None:
        """One job to its end; whatever happens, the worker lives on and the job says what it was."""

        def on_progress(fraction: float, message: str) -> None:
            if job.cancelled.is_set():
                raise Cancelled
            job.progress, job.message = fraction, message

        try:
            on_progress(0.0, "loading the model")
            job.state = "running"
            segmenter = self._segmenter(job.parameters.model, job.device)
            assert job.decode is not None
            job.result = segmenter.segment(job.decode(), job.parameters, on_progress)
            job.progress, job.message, job.state = 1.0, f"{job.result.count} objects", "done"
        except Cancelled:
            job.message, job.state = "cancelled", "cancelled"
        except CellspanError as error:
            job.message, job.state = str(error), "failed"
        except MemoryError:
            job.message, job.state = "The image does not fit into memory; segment it in parts.", "failed"
        except Exception as error:  # one job must not take the engine down
            log.exception("job %s", job.id)
            job.message = f"The engine failed with an internal error ({type(error).__name__}: {error}); see its log."
            job.state = "failed"

    def _segmenter(self, name: str, device: str) -> Segmenter:
        """A warm model; the least recently used one goes first."""
        model = find_model(name)
        key = (str(model.folder), model.sha256, device)
        segmenter = self._segmenters.get(key) or Segmenter(model, device)
        with self._lock:  # each device has a worker
            self._segmenters[key] = segmenter
            self._segmenters.move_to_end(key)
            if len(self._segmenters) > WARM_MODELS:
                self._segmenters.popitem(last=False)
        return segmenter

    def _drop_old_results(self) -> None:
        ended = [job for job in self._jobs.values() if job.over and job.ended is not None]
        now, kept_bytes = time.monotonic(), 0
        for job in reversed(ended):
            kept_bytes += _size(job.result)
            if now - (job.ended or now) > KEPT_SECONDS or kept_bytes > KEPT_BYTES:
                self._forget(job.id)

    def _forget(self, job_id: str) -> None:
        self._jobs.pop(job_id, None)
        self._keys = {key: value for key, value in self._keys.items() if value != job_id}


def _size(result: Result | None) -> int:
    """Bytes that a kept result takes."""
    return 0 if result is None else result.labels.nbytes + result.flows.nbytes + result.probability.nbytes
