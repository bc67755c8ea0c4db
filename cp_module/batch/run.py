"""Runs all ranges in parallel, retries after a crash, and skips image sets that fail twice."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace

from cellspan.core.errors import CellspanError
from cellspan.cp_module.batch.cellprofiler import end_recorded
from cellspan.cp_module.batch.log import Log, read_log
from cellspan.cp_module.batch.progress import BatchProgress, sets_underway
from cellspan.cp_module.batch.split import Range, around
from cellspan.cp_module.batch.state import State, finished_ranges
from cellspan.cp_module.batch.task import LOG, RECORD, Outcome, Task, attempts_folder, run_range, stop_file

ATTEMPTS = 2
ALIKE = 3  # first image sets that fail alike, until the pipeline is at fault
LOOK_SECONDS = 1.0
REPORT_SECONDS = 30.0
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 30.0  # for processes to end after Ctrl-C


@dataclass
class Run:
    """Runs the ranges of a state: `template` is a task of any range, `executor` runs the tasks, here or elsewhere."""

    state: State
    template: Task
    executor: Executor
    progress: BatchProgress
    keep_going: bool = False

    def __post_init__(self) -> None:
        """Nothing is running yet."""
        self._tasks: dict[Future[Outcome], Task] = {}
        self._reported = time.monotonic()
        self._proven = bool(self.state.done)  # the pipeline goes well for some image set
        self._alike: dict[str, set[int]] = defaultdict(set)  # kind of failure -> the image sets that failed so

    def do(self, ranges: Iterable[Range]) -> None:
        """Run these ranges; KeyboardInterrupt ends the processes, saves a state to resume, and is raised again.

        Raises PipelineFault, after it has ended the processes, if the first image sets all fail alike; never with
        `keep_going`.
        """
        try:
            for span in ranges:
                self._submit(replace(self.template, span=span))
            while self._tasks:
                self._look()
        except KeyboardInterrupt:
            _ignore_signals()
            self._stop()
            raise
        except PipelineFault:
            self._stop()
            raise

    def _submit(self, task: Task) -> None:
        self._tasks[self.executor.submit(run_range, task)] = task

    def _look(self) -> None:
        ended, _ = wait(self._tasks, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
        outcomes = [(task := self._tasks.pop(future), self._outcome(future, task)) for future in ended]
        underway = sets_underway(self.state.folder, [task.span for task in self._tasks.values()])
        well = any(outcome.state == "done" or outcome.any_completed for _, outcome in outcomes)
        self._proven = self._proven or well or underway > 0
        for task, outcome in outcomes:
            for following in self._settle(task, outcome):
                self._submit(following)
        self.progress.reach(self.state.sets_done + underway, len(self.state.failed))
        if time.monotonic() - self._reported > REPORT_SECONDS:
            self.state.report("running")
            self._reported = time.monotonic()

    def _outcome(self, future: Future[Outcome], task: Task) -> Outcome:
        """What run_range returned, or a failure if its computer was lost."""
        if not future.cancelled() and future.exception() is None:
            return future.result()
        reason = "cancelled" if future.cancelled() else str(future.exception())
        left = sorted(attempts_folder(task.folder).glob(f"{task.span.name}.*"))
        log = read_log(left[-1] / LOG) if left else Log("")
        for attempt in left:  # what it did does not count, and its CellProfiler ends where this folder is gone
            end_recorded(attempt / RECORD)
            shutil.rmtree(attempt, ignore_errors=True)
        return Outcome(task.span, "failed", f"the worker was lost ({reason})", log.culprit(task.span.numbers))

    def _settle(self, task: Task, outcome: Outcome) -> list[Task]:
        """Record an outcome; returns the tasks that follow from it."""
        if outcome.state == "done":
            self.state.done.append(task.span)
            self.progress.reach(self.state.sets_done, len(self.state.failed))
            self.progress.note(f"{task.span}: done in {outcome.seconds:.0f} s", important=False)
            return []
        if outcome.state == "stopped":
            return []
        self._check_pipeline(outcome)
        following = follow_up(task, outcome, self.state.plan.spans)
        if following:
            where = self.state.plan.named(outcome.culprit) if outcome.culprit else str(task.span)
            self.progress.note(f"{where}: {outcome.reason}; trying again")
        else:
            self._give_up(task.span, outcome)
        return following

    def _check_pipeline(self, outcome: Outcome) -> None:
        """Raise PipelineFault if the first image sets fail alike in one module and none goes well."""
        if self._proven or self.keep_going or not outcome.kind:
            return
        alike = self._alike[outcome.kind]
        number = outcome.culprit or outcome.span.first
        alike.add(number)
        if len(alike) >= min(ALIKE, max(2, len(self.state.plan.units))):
            for failed in sorted(alike):
                unit = next(unit for unit in self.state.plan.spans if failed in unit)
                self.state.give_up(unit, outcome.reason, failed, outcome.log)
            raise PipelineFault(len(alike), outcome.reason, outcome.log)

    def _give_up(self, span: Range, outcome: Outcome) -> None:
        self.state.give_up(span, outcome.reason, outcome.culprit, outcome.log)
        named = self.state.plan.named(span.first) if span.count == 1 else str(span)
        self.progress.note(f"{named}: FAILED twice and is skipped: {outcome.reason}")

    def _stop(self) -> None:
        stop_file(self.state.folder).touch()
        for future in self._tasks:
            future.cancel()
        # A cluster reports running tasks as cancelled; the folder of an attempt exists until it has ended.
        ends = time.monotonic() + PATIENCE_SECONDS
        while any(attempts_folder(self.state.folder).glob("*")) and time.monotonic() < ends:
            time.sleep(POLL_SECONDS)
        self.state.done = finished_ranges(self.state.folder)


class PipelineFault(CellspanError):
    """The first image sets all failed alike, so the others would too."""

    def __init__(self, count: int, reason: str, log: str) -> None:
        """`count` image sets failed with the `reason`; `log` is the path of CellProfiler's log."""
        super().__init__(
            f"The first {count} image sets all failed in the same way ({reason}), so the run was stopped; correct the "
            f"pipeline, or add --keep-going to try the others all the same (log: {log})."
        )


def _ignore_signals() -> None:
    """Ignore further signals; stopping takes only seconds."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


def follow_up(task: Task, outcome: Outcome, units: list[Range]) -> list[Task]:
    """What to do after a failure: nothing after the last attempt, otherwise a new one, with the failed set on its own.

    `units`: ranges that must not be divided. The sets around the failed one get their own ranges, as first attempts,
    because they have not failed.
    """
    if task.attempt >= ATTEMPTS:
        if outcome.culprit is None or task.span in units:
            return []
    elif outcome.culprit is None or task.span in units:
        return [replace(task, attempt=task.attempt + 1)]
    before, unit, after = around(task.span, outcome.culprit, units)
    again = replace(task, span=unit, attempt=ATTEMPTS)
    others = [replace(task, span=span, attempt=1) for span in (before, after) if span is not None]
    return [*others, again]  # the others come first, because they tell whether all sets fail
