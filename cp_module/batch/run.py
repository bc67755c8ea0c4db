"""Runs all ranges in parallel, retries after a crash, and skips image sets that fail twice."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace

from cellspan.cp_module.batch.log import read_log
from cellspan.cp_module.batch.progress import BatchProgress, sets_underway
from cellspan.cp_module.batch.split import Range, around
from cellspan.cp_module.batch.state import State, finished_ranges
from cellspan.cp_module.batch.task import LOG, Outcome, Task, attempts_folder, run_range, stop_file

ATTEMPTS = 2
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

    def __post_init__(self) -> None:
        """Nothing is running yet."""
        self._tasks: dict[Future[Outcome], Task] = {}
        self._reported = time.monotonic()

    def do(self, ranges: Iterable[Range]) -> None:
        """Run these ranges; KeyboardInterrupt ends the processes, saves a state to resume, and is raised again."""
        try:
            for span in ranges:
                self._submit(replace(self.template, span=span))
            while self._tasks:
                self._look()
        except KeyboardInterrupt:
            self._stop()
            raise

    def _submit(self, task: Task) -> None:
        self._tasks[self.executor.submit(run_range, task)] = task

    def _look(self) -> None:
        ended, _ = wait(self._tasks, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
        for future in ended:
            task = self._tasks.pop(future)
            for following in self._settle(task, self._outcome(future, task)):
                self._submit(following)
        done = self.state.sets_done + len(self.state.failed)
        self.progress.reach(done + sets_underway(self.state.folder))
        if time.monotonic() - self._reported > REPORT_SECONDS:
            self.state.report("running")
            self._reported = time.monotonic()

    def _outcome(self, future: Future[Outcome], task: Task) -> Outcome:
        """What run_range returned, or a failure if its computer was lost."""
        if not future.cancelled() and future.exception() is None:
            return future.result()
        reason = "cancelled" if future.cancelled() else str(future.exception())
        logs = sorted(attempts_folder(task.folder).glob(f"{task.span.name}.*/{LOG}"))
        culprit = read_log(logs[-1]).culprit(task.span.first, task.span.last) if logs else None
        return Outcome(task.span, "failed", f"the worker was lost ({reason})", culprit)

    def _settle(self, task: Task, outcome: Outcome) -> list[Task]:
        """Record an outcome; returns the tasks that follow from it."""
        if outcome.state == "done":
            self.state.done.append(task.span)
            self.progress.reach(self.state.sets_done + len(self.state.failed))
            self.progress.note(f"{task.span}: done in {outcome.seconds:.0f} s", important=False)
            return []
        if outcome.state == "stopped":
            return []
        following = follow_up(task, outcome, self.state.plan.spans)
        if following:
            where = self.state.plan.named(outcome.culprit) if outcome.culprit else str(task.span)
            self.progress.note(f"{where}: {outcome.reason}; trying again")
        else:
            self._give_up(task.span, outcome)
        return following

    def _give_up(self, span: Range, outcome: Outcome) -> None:
        self.state.give_up(span, outcome.reason, outcome.culprit, outcome.log)
        named = self.state.plan.named(span.first) if span.count == 1 else str(span)
        self.progress.note(f"{named}: FAILED twice and is skipped: {outcome.reason}")

    def _stop(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # ignore further signals; this takes only seconds
        stop_file(self.state.folder).touch()
        for future in self._tasks:
            future.cancel()
        # A cluster reports running tasks as cancelled; the folder of an attempt exists until it has ended.
        ends = time.monotonic() + PATIENCE_SECONDS
        while any(attempts_folder(self.state.folder).glob("*")) and time.monotonic() < ends:
            time.sleep(POLL_SECONDS)
        self.state.done = finished_ranges(self.state.folder)


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
    return [again, *others]
