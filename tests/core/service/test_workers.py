"""The threads that do the jobs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cellspan.core.errors import Cancelled, CellspanError, DeviceMemoryError
from cellspan.core.machine.cancelling import checkpoint
from cellspan.core.service.errors import Refusal
from cellspan.core.service.jobs import Job, JobTable
from cellspan.core.service.metrics import Metrics
from cellspan.core.service.results import Results
from cellspan.core.service.strikes import Strikes
from cellspan.core.service.workers import Workers

from .fakes import LONG, FakeWork, a_job, result_of, until

pytestmark = pytest.mark.quick
FOUND = result_of(np.ones((4, 4)))


@pytest.fixture
def table() -> JobTable:
    return JobTable()


@pytest.fixture
def results() -> Results:
    return Results()


@pytest.fixture
def workers(table: JobTable, results: Results) -> Iterator[Workers]:
    workers = Workers("cpu", table, results, Strikes(None), Metrics())
    yield workers
    for job in table.all():
        job.cancelled.set()
    workers.close()
    assert workers.join(LONG)


class Doing:
    """Work that goes from checkpoint to checkpoint until it is told to end."""

    def __init__(self) -> None:
        self.steps = 0
        self.end = threading.Event()

    def __call__(self, on_progress: Any) -> Any:
        while not self.end.wait(0.002):
            checkpoint()
            on_progress(0.5, "running the network")
            self.steps += 1
        return FOUND


def started(workers: Workers, table: JobTable, act: Any = None, **more: Any) -> Job:
    """A job that does this; with no act it is done at once."""
    job = a_job(work=FakeWork(more.pop("is_long", False), act or (lambda on_progress: FOUND)), **more)
    table.add(job)
    workers.waiting.put(job)
    return job


def test_two_jobs_run_side_by_side_and_a_third_waits(workers: Workers, table: JobTable) -> None:
    doing = [Doing() for _ in range(3)]
    jobs = [started(workers, table, act) for act in doing]
    until(lambda: doing[0].steps and doing[1].steps)
    assert (jobs[2].state, doing[2].steps) == ("queued", 0)
    doing[0].end.set()
    until(lambda: doing[2].steps)
    assert [job.state for job in jobs] == ["done", "running", "running"]


def test_an_urgent_job_finds_a_thread_and_the_others_pause_and_then_go_on(workers: Workers, table: JobTable) -> None:
    batch, urgent = [Doing(), Doing()], Doing()
    jobs = [started(workers, table, act) for act in batch]
    until(lambda: all(act.steps for act in batch))
    first = started(workers, table, urgent, client="fiji", interactive=True)
    until(lambda: urgent.steps)
    until(lambda: urgent.steps > 10)  # by now those of the batch have come to a checkpoint
    before, then = [act.steps for act in batch], urgent.steps
    until(lambda: urgent.steps > then + 30)
    assert [act.steps for act in batch] == before
    urgent.end.set()
    until(lambda: first.over)
    until(lambda: all(act.steps > count + 5 for act, count in zip(batch, before, strict=True)))
    assert [job.state for job in jobs] == ["running", "running"]


def test_a_job_that_makes_way_can_be_cancelled(workers: Workers, table: JobTable) -> None:
    batch, urgent = Doing(), Doing()
    job = started(workers, table, batch)
    until(lambda: batch.steps)
    started(workers, table, urgent, interactive=True)
    until(lambda: urgent.steps > 10)
    job.cancelled.set()
    until(lambda: job.state == "cancelled", seconds=2)


def test_a_volume_leaves_a_thread_to_images(workers: Workers, table: JobTable) -> None:
    volumes = [Doing(), Doing()]
    jobs = [started(workers, table, act, is_long=True) for act in volumes]
    image = started(workers, table, client="b")
    until(lambda: image.over)
    until(lambda: volumes[0].steps)
    assert [job.state for job in jobs] == ["running", "queued"]


@pytest.mark.parametrize(
    ("fault", "code", "sentence"),
    [
        (CellspanError("The image is grey."), "refused", "The image is grey."),
        (Refusal(507, "results_full", "All is full."), "results_full", "All is full."),
        (DeviceMemoryError("The card is full."), "memory", "The card is full."),
        (MemoryError(), "memory", "does not fit into memory"),
        (KeyError("secret"), "internal", "internal error (KeyError"),
        (SystemExit(3), "internal", "internal error (SystemExit"),
        (RecursionError("deep"), "internal", "internal error (RecursionError"),
    ],
)
def test_a_fault_becomes_a_failed_job_and_the_threads_live_on(
    workers: Workers, table: JobTable, fault: BaseException, code: str, sentence: str
) -> None:
    def fails(on_progress: Any) -> Any:
        raise fault

    jobs = [started(workers, table, fails) for _ in range(4)]
    until(lambda: all(job.over for job in jobs))
    for job in jobs:
        assert (job.state, job.code) == ("failed", code)
        assert sentence in job.message
        assert job.work.closed.is_set()  # type: ignore[attr-defined]
    after = started(workers, table)
    until(lambda: after.state == "done")


def test_a_cancelled_job_is_no_failure(workers: Workers, table: JobTable, results: Results) -> None:
    doing = Doing()
    job = started(workers, table, doing)
    until(lambda: doing.steps)
    job.cancelled.set()
    until(lambda: job.over, seconds=2)
    assert (job.state, job.code) == ("cancelled", "cancelled")
    assert results.used() == (0, 0)


def test_a_job_that_was_cancelled_before_its_turn_does_nothing(workers: Workers, table: JobTable) -> None:
    asked = []
    job = a_job(work=FakeWork(act=lambda on_progress: asked.append(1) or FOUND))
    job.cancelled.set()
    workers.waiting.put(job)
    until(lambda: job.over)
    assert (job.state, asked) == ("cancelled", [])


def test_what_is_deleted_at_its_last_moment_is_not_kept(workers: Workers, table: JobTable, results: Results) -> None:
    def deleted_meanwhile(on_progress: Any) -> Any:
        job.cancelled.set()
        results.drop(job)
        return FOUND

    job = a_job(work=FakeWork(act=deleted_meanwhile))
    workers.waiting.put(job)
    until(lambda: job.over)
    assert job.state == "cancelled"
    assert results.used() == (0, 0)


def test_the_image_is_freed_before_the_client_hears_that_the_job_is_over(workers: Workers, table: JobTable) -> None:
    job = a_job(work=FakeWork())
    closed = []
    job.watch(lambda: closed.append(job.work.closed.is_set()))  # type: ignore[attr-defined]
    workers.waiting.put(job)
    until(lambda: closed)
    assert closed == [True]


def test_an_image_that_cannot_be_freed_does_not_end_the_thread(workers: Workers, table: JobTable) -> None:
    class Stuck(FakeWork):
        def close(self) -> None:
            raise OSError(28, "No space left on device")

    job = a_job(work=Stuck())
    workers.waiting.put(job)
    until(lambda: job.state == "done")


def test_the_threads_end_on_close_and_finish_what_they_have_begun(table: JobTable, results: Results) -> None:
    workers = Workers("cpu", table, results, Strikes(None), Metrics())
    doing = [Doing(), Doing()]
    running = [started(workers, table, act) for act in doing]
    until(lambda: all(act.steps for act in doing))
    waits = started(workers, table)
    assert workers.close() == [waits]
    assert not workers.join(0.05)
    for act in doing:
        act.end.set()
    assert workers.join(LONG)
    assert [job.state for job in running] == ["done", "done"]
    assert waits.state == "queued"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("cpu ")]


def test_work_that_says_it_was_cancelled_is_believed(workers: Workers, table: JobTable) -> None:
    def gives_up(on_progress: Any) -> Any:
        raise Cancelled

    job = started(workers, table, gives_up)
    until(lambda: job.over)
    assert job.state == "cancelled"


def test_a_system_without_threads_is_a_sentence_and_leaves_none_behind(
    table: JobTable, results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, begun = threading.Thread.start, []

    def only_one(thread: threading.Thread) -> None:
        if begun:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", only_one)
    with pytest.raises(Refusal, match="no more threads") as refused:
        Workers("cpu", table, results, Strikes(None), Metrics())
    assert refused.value.status == 503
    begun[0].join(LONG)
    assert not begun[0].is_alive()
