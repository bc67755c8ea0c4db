"""The worker threads of one device: while the network processes one image, others are read or labelled."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import NamedTuple

from cellspan.core.errors import Cancelled, CellspanError, DeviceMemoryError
from cellspan.core.machine.cancelling import cancelled_by, checkpoint
from cellspan.core.service.errors import Refusal
from cellspan.core.service.jobs import Job, JobTable, State
from cellspan.core.service.metrics import Metrics
from cellspan.core.service.results import Results
from cellspan.core.service.strikes import Strikes
from cellspan.core.service.waiting import WaitingJobs

SIDE_BY_SIDE = 2  # jobs; a third gained nothing on two cores (docs/performance.md)
MOST_LONG = SIDE_BY_SIDE - 1  # volumes at once, so that images can pass them
PAUSE = 0.05  # seconds between two checks whether an urgent job has finished

log = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """How a job ended."""

    state: State
    message: str
    code: str = ""


class Workers:
    """Two threads for any jobs of a device, and one for jobs for which a person is waiting."""

    def __init__(self, device: str, jobs: JobTable, results: Results, strikes: Strikes, metrics: Metrics) -> None:
        """Start the threads; raises Refusal if the system has none left."""
        self.waiting = WaitingJobs()
        self._jobs, self._results, self._strikes, self._metrics = jobs, results, strikes, metrics
        self._urgent = 0
        self._urgent_lock = threading.Lock()
        kinds = [*((f"{device} {k}", False) for k in range(SIDE_BY_SIDE)), (f"{device} urgent", True)]
        self._threads = [threading.Thread(target=self._work, args=(urgent,), name=name) for name, urgent in kinds]
        try:
            for thread in self._threads:
                thread.start()
        except RuntimeError:
            self.waiting.close()  # ends the threads that were started
            raise Refusal(
                503,
                "no_threads",
                "The system allows no more threads; close other programs and try again.",
                {"Retry-After": "10"},
            ) from None

    def close(self) -> list[Job]:
        """Start no more jobs; returns those that waited."""
        return self.waiting.close()

    def join(self, seconds: float) -> bool:
        """Wait for the threads to end, which they do when their jobs are over; whether they did."""
        for thread in self._threads:
            thread.join(seconds / len(self._threads))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, urgent_only: bool) -> None:
        while (job := self.waiting.take(urgent_only, MOST_LONG)) is not None:
            try:
                self._run(job)
            finally:
                self.waiting.done(job)
                del job  # and with it its image and its result, while this thread waits

    def _run(self, job: Job) -> None:
        """One job to its end; whatever happens, the worker lives on and the job says what it was."""
        with self._strikes.running(job.key, job.strikes), self._first() if job.urgent else nullcontext():
            outcome = self._outcome(job)
        with suppress(OSError):
            job.work.close()
        if outcome.state != "done":
            self._metrics.ended(outcome.state)
        job.finish(*outcome)

    def _outcome(self, job: Job) -> Outcome:
        try:
            with (
                cancelled_by(job.cancelled.is_set, lambda: self._make_way(job), job.urgent),
                self._metrics.stages(job) as on_stage,
            ):

                def on_progress(fraction: float, message: str) -> None:
                    if job.cancelled.is_set():
                        raise Cancelled
                    job.progress, job.message = fraction, message
                    on_stage(message)

                on_progress(0.0, "starting")
                checkpoint()
                result = job.work.run(on_progress)
            self._results.keep(job, result, self._jobs.fetched)
            self._metrics.finished(result)
            return Outcome("done", f"{result.count} objects")
        except Cancelled:
            return Outcome("cancelled", "cancelled", "cancelled")
        except DeviceMemoryError as error:
            return Outcome("failed", str(error), "memory")
        except CellspanError as error:
            return Outcome("failed", str(error), "refused")
        except Refusal as refusal:
            return Outcome("failed", refusal.sentence, refusal.code)
        except MemoryError:
            return Outcome("failed", "The image does not fit into memory; segment it in parts.", "memory")
        except BaseException as error:
            log.exception("job %s", job.id)
            sentence = f"The engine failed with an internal error ({type(error).__name__}: {error}); see its log."
            return Outcome("failed", sentence, "internal")

    @contextmanager
    def _first(self) -> Iterator[None]:
        with self._urgent_lock:
            self._urgent += 1
        try:
            yield
        finally:
            with self._urgent_lock:
                self._urgent -= 1

    def _make_way(self, job: Job) -> None:
        """Called at the checkpoints of jobs: those that nobody sits and waits for stay there for a while."""
        while self._urgent and not job.urgent and not job.cancelled.wait(PAUSE):
            pass
