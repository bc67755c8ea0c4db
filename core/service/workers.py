"""The threads that do the jobs of one device: while the network looks at one image, others are read or judged."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cellspan.core.cancelling import cancelled_by
from cellspan.core.errors import Cancelled, CellspanError
from cellspan.core.service.errors import Refusal
from cellspan.core.service.jobs import Job, JobTable
from cellspan.core.service.metrics import Metrics
from cellspan.core.service.results import Results
from cellspan.core.service.strikes import MOST, Strikes
from cellspan.core.service.waiting import WaitingJobs

SIDE_BY_SIDE = 2  # jobs; a third brought nothing on two cores (docs/performance.md)
MOST_LONG = SIDE_BY_SIDE - 1  # volumes at once, so that images pass them
PAUSE = 0.05  # seconds between two questions whether an urgent job is over

log = logging.getLogger(__name__)


class Company:
    """Jobs run beside each other, but one that may have ended an engine runs alone, so that the guilty one is known."""

    def __init__(self) -> None:
        """Nobody is there."""
        self._changed = threading.Condition()
        self._running = 0
        self._alone_wanted = 0

    @contextmanager
    def joined(self, alone: bool) -> Iterator[None]:
        """Wait until the job may run."""
        with self._changed:
            if alone:
                self._alone_wanted += 1
                self._changed.wait_for(lambda: self._running == 0)
                self._alone_wanted -= 1
                self._running = -1
            else:
                self._changed.wait_for(lambda: self._running >= 0 and not self._alone_wanted)
                self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running = 0 if alone else self._running - 1
                self._changed.notify_all()


class Workers:
    """Two threads for any jobs of a device, and one for those that somebody sits and waits for."""

    def __init__(self, device: str, jobs: JobTable, results: Results, strikes: Strikes, metrics: Metrics) -> None:
        """Start the threads."""
        self.waiting = WaitingJobs()
        self._jobs, self._results, self._strikes, self._metrics = jobs, results, strikes, metrics
        self._company = Company()
        self._urgent = 0
        self._urgent_lock = threading.Lock()
        kinds = [*((f"{device} {k}", False) for k in range(SIDE_BY_SIDE)), (f"{device} urgent", True)]
        self._threads = [threading.Thread(target=self._work, args=(urgent,), name=name) for name, urgent in kinds]
        for thread in self._threads:
            thread.start()

    def close(self) -> list[Job]:
        """No job is begun any more; those that waited."""
        return self.waiting.close()

    def join(self, seconds: float) -> bool:
        """Wait for the threads to end, which they do when their jobs are over; whether they did."""
        for thread in self._threads:
            thread.join(seconds / len(self._threads))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, urgent_only: bool) -> None:
        while (job := self.waiting.take(urgent_only, MOST_LONG)) is not None:
            try:
                self._run_in_company(job)
            finally:
                self.waiting.done(job)
                del job  # and with it its image and its result, while this thread waits

    def _run_in_company(self, job: Job) -> None:
        if job.strikes >= MOST:
            job.work.close()
            job.finish(
                "failed",
                f"This image ended the engine {MOST} times; the log of the engine says why. Segment a part of it, or "
                "report it with the image.",
                "ends_the_engine",
            )
            return
        with self._company.joined(alone=job.strikes > 0), self._strikes.running(job.key, job.strikes):
            if job.urgent:
                with self._first():
                    self._run(job)
            else:
                self._run(job)

    def _run(self, job: Job) -> None:
        """One job to its end; whatever happens, the worker lives on and the job says what it was."""

        def on_progress(fraction: float, message: str) -> None:
            if job.cancelled.is_set():
                raise Cancelled
            job.progress, job.message = fraction, message

        try:
            with cancelled_by(job.cancelled.is_set, (lambda: None) if job.urgent else (lambda: self._make_way(job))):
                on_progress(0.0, "starting")
                job.state = "running"
                result = job.work.run(on_progress)
            self._results.keep(job, result, self._fetched)
            self._metrics.finished(job, result)
            job.finish("done", f"{result.count} objects")
        except Cancelled:
            job.finish("cancelled", "cancelled", "cancelled")
        except CellspanError as error:
            job.finish("failed", str(error), "refused")
        except Refusal as refusal:
            job.finish("failed", refusal.sentence, refusal.code)
        except MemoryError:
            job.finish("failed", "The image does not fit into memory; segment it in parts.", "memory")
        except Exception as error:  # one job must not take the engine down
            log.exception("job %s", job.id)
            sentence = f"The engine failed with an internal error ({type(error).__name__}: {error}); see its log."
            job.finish("failed", sentence, "internal")
        finally:
            job.work.close()
            if job.state != "done":
                self._metrics.ended(job)

    def _fetched(self) -> list[Job]:
        """Jobs that their clients have had, those that were asked for least recently first."""
        return sorted((job for job in self._jobs.all() if job.fetched), key=lambda job: job.seen)

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
        """Called at the checkpoints of jobs that nobody sits and waits for."""
        while self._urgent and not job.cancelled.wait(PAUSE):
            pass
