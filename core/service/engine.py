"""The engine behind the routes: accepts jobs, keeps their results while needed, and stops without losing work."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

from cellspan.core.errors import CellspanError
from cellspan.core.inference.predictor import resolve_device
from cellspan.core.parameters import Parameters, parse_parameters
from cellspan.core.planes.result import check_same_network
from cellspan.core.service.errors import Refusal, stopping, unknown_job
from cellspan.core.service.jobs import LEASE_SECONDS, LONGEST_KEY, LONGEST_LEASE, Job, JobTable, Work
from cellspan.core.service.metrics import Metrics
from cellspan.core.service.models import WarmModels
from cellspan.core.service.results import Results
from cellspan.core.service.strikes import MOST, Strikes
from cellspan.core.service.uploads import MAX_UPLOAD, Upload, Uploads
from cellspan.core.service.work import JudgeAgain, SegmentImage
from cellspan.core.service.workers import Workers

MOST_CLIENTS = 10_000  # number of remembered names

log = logging.getLogger(__name__)


class Client:
    """A client: its name for taking turns, whether a person is waiting, and how long to keep its jobs."""

    def __init__(self, name: str = "", interactive: bool = False, lease: float = LEASE_SECONDS) -> None:
        """Raises Refusal for an invalid lease or name."""
        if len(name) > LONGEST_KEY:
            raise Refusal(400, "bad_client", f"The name of a client may have at most {LONGEST_KEY} characters.")
        if not 1 <= lease <= LONGEST_LEASE:
            raise Refusal(
                400, "bad_lease", f"A lease must be 1 to {LONGEST_LEASE:g} seconds, not {lease:g}.", lease=lease
            )
        self.name, self.interactive, self.lease = name, interactive, lease


class Engine:
    """Jobs, workers, results and models; thread-safe."""

    def __init__(
        self,
        models: WarmModels | None = None,
        results: Results | None = None,
        max_upload: int = MAX_UPLOAD,
        marks: Path | None = None,
    ) -> None:
        """`marks`: the folder for marks of running jobs, for the next engine if this one dies."""
        self.models = models or WarmModels()
        self.results = results or Results()
        self.uploads = Uploads(max_upload)
        self.jobs = JobTable()
        self.metrics = Metrics()
        self._strikes = Strikes(marks)
        self._lock = threading.Lock()
        self._workers: dict[str, Workers] = {}
        self._clients: OrderedDict[str, None] = OrderedDict()  # clients that sent images, the latest last
        self.stopping = False  # no new jobs
        self.outdated = False  # no new clients
        self.last_activity = time.monotonic()

    # ---- jobs

    def submit(self, upload: Upload, parameters: Parameters, device: str, client: Client, key: str | None) -> Job:
        """Queue an image; the same key gives the same job. Raises CellspanError for an unknown model or device."""
        self.check_open(client)
        self.models.check(parameters)
        device = resolve_device(device)
        fingerprint = f"{upload.digest()} {upload.kind} {device} {parameters.model_dump_json()}"
        work = SegmentImage(self.models, upload, parameters, device)
        return self._add(work, parameters, device, client, key, fingerprint)

    def again(self, job: Job, values: dict[str, Any], client: Client, key: str | None) -> Job:
        """Queue the image of a job with other thresholds; `values`: the parameters that differ.

        Raises CellspanError, and Refusal if the network's outputs no longer exist.
        """
        self.check_open(client)
        if job.state != "done":
            raise Refusal(
                409, "not_done", f"The job is {job.state}; only finished jobs can be repeated with other thresholds."
            )
        result = job.result
        if result is None:
            raise Refusal(410, "gone", "The outputs of this job were deleted to free space; send the image again.")
        parameters = with_changes(job.parameters, values)
        if result.seen is None:
            raise CellspanError("The outputs of volumes are not kept; segment the volume again.")
        check_same_network(job.parameters, parameters)
        fingerprint = f"again {job.id} {parameters.model_dump_json()}"
        return self._add(JudgeAgain(result, parameters), parameters, job.device, client, key, fingerprint)

    def _add(
        self, work: Work, parameters: Parameters, device: str, client: Client, key: str | None, fingerprint: str
    ) -> Job:
        if key is not None and not 1 <= len(key) <= LONGEST_KEY:
            raise Refusal(400, "bad_key", f"An Idempotency-Key must have 1 to {LONGEST_KEY} characters.")
        found = self.jobs.with_key(key, fingerprint)
        if found is None:
            self.results.check_room(self.jobs.fetched)
            job = Job(work, parameters, device, client.name, client.interactive, key, fingerprint, client.lease)
            job.strikes = self._strikes.of(key)
            found = self._queued(job)
        if found.work is not work:
            work.close()
        return found

    def _queued(self, job: Job) -> Job:
        """Queue the job; returns it, or the job with the same key that another request has queued."""
        with self._lock:  # so that no job is visible that then does not fit into the queue
            if self.stopping:
                raise stopping()
            found = self.jobs.add(job)
            try:
                if found is job and job.strikes < MOST:
                    self._workers_of(job.device).waiting.put(job)
            except Refusal:
                self.jobs.remove(job)
                raise
            self._remember(job.client)
        if found is job and job.strikes >= MOST:
            job.work.close()
            self.metrics.ended("failed")
            job.finish(
                "failed",
                f"This image crashed the engine {MOST} times; see the engine's log. Segment a part of it, or "
                "report it with the image.",
                "ends_the_engine",
            )
        return found

    def _remember(self, client: str) -> None:
        self._clients[client] = None
        self._clients.move_to_end(client)
        if len(self._clients) > MOST_CLIENTS:
            self._clients.popitem(last=False)

    def get(self, job_id: str) -> Job:
        """A job by its id; raises Refusal if there is none, or if it is returned because the engine stops."""
        self.last_activity = time.monotonic()
        job = self.jobs.get(job_id)
        if job is None:
            raise unknown_job(job_id)
        if self.stopping and job.state != "done" and (job.state == "queued" or job.handed_back):
            raise stopping()
        return job

    def before(self, job: Job) -> int:
        """Number of jobs before a waiting job."""
        workers = self._workers.get(job.device)
        return workers.waiting.before(job) if workers else 0

    def beside(self, job: Job) -> int:
        """Number of other jobs that the device of a job works on now."""
        others = (other for other in self.jobs.all() if other is not job and other.device == job.device)
        return sum(other.state == "running" for other in others)

    def delete(self, job: Job) -> None:
        """Cancel the job if it is not finished, and delete it."""
        job.cancelled.set()
        self.jobs.remove(job)
        self.results.drop(job)
        workers = self._workers.get(job.device)
        if workers and workers.waiting.drop(job):
            job.work.close()
            self.metrics.ended("cancelled")
            job.finish("cancelled", "cancelled", "cancelled")
        else:
            job.tell()  # watchers need not wait for the worker

    def _workers_of(self, device: str) -> Workers:
        if device not in self._workers:
            self._workers[device] = Workers(device, self.jobs, self.results, self._strikes, self.metrics)
        return self._workers[device]

    def check_open(self, client: Client) -> None:
        """Refuse new jobs while the engine stops, and new clients after the program was replaced; raises Refusal.

        A client without a name counts as new.
        """
        if self.stopping or (self.outdated and not (client.name and client.name in self._clients)):
            raise stopping()
        self.last_activity = time.monotonic()  # receiving its image may take a while

    # ---- time

    def touch(self) -> None:
        """Somebody uses it, though not for jobs: it is not idle."""
        self.last_activity = time.monotonic()

    @property
    def busy(self) -> bool:
        """Whether any job waits or runs."""
        return any(not job.over for job in self.jobs.all())

    @property
    def wanted(self) -> bool:
        """Whether a client still needs a finished or running job."""
        return any(not job.over or (job.state == "done" and not job.fetched) for job in self.jobs.all())

    def drop_expired(self) -> None:
        """Delete jobs, finished or not, whose clients have sent no request for too long."""
        now = time.monotonic()
        for job in self.jobs.all():
            if job.expired(now):
                if not job.over:
                    log.info("job %s was dropped: its client has not asked for %.0f s", job.id, now - job.seen)
                self.delete(job)

    def stop(self) -> None:
        """Accept no new jobs, and return the waiting ones for the next engine."""
        with self._lock:
            self.stopping = True
        for workers in self._workers.values():
            for job in workers.close():
                job.handed_back = True
                job.work.close()
                job.finish("cancelled", "handed back", "handed_back")

    def hand_back(self) -> None:
        """End running jobs; their clients send them to the next engine."""
        for job in self.jobs.all():
            if not job.over:
                job.handed_back = True
                job.cancelled.set()
                job.tell()

    def join(self, seconds: float) -> bool:
        """Wait for the workers to end after `stop`; returns whether they did.

        The process may end while some are still running; this is no strike for their jobs.
        """
        left = [workers for workers in self._workers.values() if not workers.join(seconds)]
        if left:
            self._strikes.forgive()
        return not left


def with_changes(parameters: Parameters, values: dict[str, Any]) -> Parameters:
    """The parameters with some values changed, which may be text; raises CellspanError."""
    return parse_parameters({**vars(parameters), **values})
