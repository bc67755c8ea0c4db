"""What is done again, what is given up and what goes on: with ranges that fail as they are told to."""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellspan.cp_module.batch import run as running
from cellspan.cp_module.batch.cellprofiler import CellProfiler
from cellspan.cp_module.batch.progress import BatchProgress
from cellspan.cp_module.batch.run import PipelineFault, Run, follow_up
from cellspan.cp_module.batch.split import Range, split
from cellspan.cp_module.batch.state import State
from cellspan.cp_module.batch.task import Outcome, Task, attempts_folder, stop_file

pytestmark = pytest.mark.quick

Finish = Callable[..., Path]


@dataclass
class Ranges:
    """Stands for `run_range`: `times` says how often each image set fails before it goes well."""

    times: dict[int, int] = field(default_factory=dict)
    tried: list[Range] = field(default_factory=list)
    culprit_known: bool = True
    kind: str = ""

    def __call__(self, task: Task) -> Outcome:
        self.tried.append(task.span)
        for number in task.span.numbers:
            if self.times.get(number, 0) > 0:
                self.times[number] -= 1
                culprit = number if self.culprit_known else None
                well = number > task.span.first
                reason, log = f"set {number} is broken", f"/logs/{number}.log"
                return Outcome(task.span, "failed", reason, culprit, log=log, kind=self.kind, any_completed=well)
        return Outcome(task.span, "done")


Do = Callable[..., State]


@pytest.fixture
def do(state: State, template: Task, monkeypatch: pytest.MonkeyPatch) -> Do:
    """Do the eight image sets in two ranges of four, with this behaviour."""

    def work(ranges: Callable[[Task], Outcome], keep_going: bool = False) -> State:
        monkeypatch.setattr(running, "run_range", ranges)
        with ThreadPoolExecutor(1) as executor, BatchProgress(8, 0) as progress:
            Run(state, template, executor, progress, keep_going).do(split(state.plan.spans, 4))
        return state

    return work


def done(state: State) -> list[int]:
    return sorted(number for span in state.done for number in span.numbers)


def test_all_goes_well(do: Do) -> None:
    ranges = Ranges()
    state = do(ranges)
    assert ranges.tried == [Range(1, 4), Range(5, 8)]
    assert done(state) == list(range(1, 9))
    assert state.failed == {}


def test_a_set_that_crashes_once_is_done_again_and_is_not_given_up(do: Do) -> None:
    ranges = Ranges({3: 1})
    state = do(ranges)
    assert done(state) == list(range(1, 9))
    assert state.failed == {}
    assert sorted(ranges.tried) == [Range(1, 2), Range(1, 4), Range(3, 3), Range(4, 4), Range(5, 8)]


def test_a_set_that_fails_twice_is_given_up_and_the_others_go_on(do: Do) -> None:
    state = do(Ranges({3: 99, 8: 99}))
    assert done(state) == [1, 2, 4, 5, 6, 7]
    assert {number: failure.reason for number, failure in state.failed.items()} == {
        3: "set 3 is broken",
        8: "set 8 is broken",
    }
    assert state.failed[3].log == "/logs/3.log"


def test_a_range_that_crashes_nobody_knows_where_is_done_again(do: Do) -> None:
    ranges = Ranges({3: 1}, culprit_known=False)
    assert done(do(ranges)) == list(range(1, 9))
    assert sorted(ranges.tried) == [Range(1, 4), Range(1, 4), Range(5, 8)]


def test_a_range_that_crashes_twice_nobody_knows_where_is_given_up(do: Do) -> None:
    state = do(Ranges({3: 2}, culprit_known=False))
    assert done(state) == [5, 6, 7, 8]
    assert sorted(state.failed) == [1, 2, 3, 4]


def test_a_computer_that_is_lost_is_a_failure_like_others(do: Do) -> None:
    calls = itertools.count()

    def lost_once(task: Task) -> Outcome:
        if next(calls) == 0:
            raise ConnectionError("the worker is gone")
        return Outcome(task.span, "done")

    state = do(lost_once)
    assert done(state) == list(range(1, 9))
    assert state.failed == {}


def test_of_a_group_with_a_broken_set_all_are_given_up_and_say_why(state: State, do: Do) -> None:
    state.plan = state.plan.model_copy(
        update={"units": [(1, 3), (4, 8)], "group_of": [{"Plate": "A"}, {"Plate": "B"}], "grouped": True}
    )
    assert done(do(Ranges({2: 99}))) == [4, 5, 6, 7, 8]
    assert state.failed[2].reason == "set 2 is broken"
    assert state.failed[1].reason == "image set 2 (2.tif), of the same group, failed: set 2 is broken"


ALL_FAIL = dict.fromkeys(range(1, 9), 99)


def test_where_the_first_sets_fail_alike_the_pipeline_is_at_fault_and_the_run_stops(state: State, do: Do) -> None:
    """After three failures, not after two for each image set; some more may have begun in the meantime."""
    ranges = Ranges(dict(ALL_FAIL), kind="FlagImage: TypeError")
    words = r"The first 3 image sets all failed in the same way \(set . is broken\), .* --keep-going .*/logs/.\.log"
    with pytest.raises(PipelineFault, match=words):
        do(ranges)
    assert len(ranges.tried) < 12
    assert len(state.failed) == 3
    assert state.done == []


def test_of_two_groups_both_fail_alike(state: State, do: Do) -> None:
    groups = {"units": [(1, 4), (5, 8)], "group_of": [{}, {}], "grouped": True}
    state.plan = state.plan.model_copy(update=groups)
    with pytest.raises(PipelineFault, match="The first 2 image sets all failed"):
        do(Ranges(dict(ALL_FAIL), kind="LoadData: OSError"))


def test_all_sets_are_tried_if_it_is_wished(do: Do) -> None:
    ranges = Ranges(dict(ALL_FAIL), kind="FlagImage: TypeError")
    state = do(ranges, keep_going=True)
    assert sorted(state.failed) == list(range(1, 9))


def test_a_pipeline_that_goes_well_for_one_set_is_not_at_fault(do: Do) -> None:
    times = {number: 99 for number in range(1, 9) if number != 5}
    state = do(Ranges(times, kind="FlagImage: TypeError"))
    assert done(state) == [5]
    assert sorted(state.failed) == sorted(times)


def test_a_run_that_has_done_something_before_is_not_stopped(state: State, do: Do) -> None:
    state.done.append(Range(9, 9))
    assert sorted(do(Ranges(dict(ALL_FAIL), kind="FlagImage: TypeError")).failed) == list(range(1, 9))


def test_crashes_that_no_module_reports_are_not_the_pipelines_fault(do: Do) -> None:
    assert sorted(do(Ranges(dict(ALL_FAIL))).failed) == list(range(1, 9))


def test_failures_do_not_count_as_progress(do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr(BatchProgress, "reach", lambda _, done, failed=0: seen.append((done, failed)))
    do(Ranges({3: 99, 8: 99}))
    assert max(done for done, _ in seen) == 6
    assert seen[-1] == (6, 2)


@given(st.dictionaries(st.integers(1, 8), st.integers(0, 4)), st.integers(1, 8), st.booleans())
def test_every_set_is_done_or_given_up_once(times: dict[int, int], size: int, culprit_known: bool) -> None:
    """However they fail; and a set that never fails is done, where the culprit is known."""
    units = [Range(number, number) for number in range(1, 9)]
    ranges = Ranges(dict(times), culprit_known=culprit_known)
    template = Task(Range(1, 8), Path("/run"), CellProfiler((), None), Path("/plugins"), Path("/images"), ())
    waiting = [replace(template, span=span) for span in split(units, size)]
    ended: dict[int, str] = {}
    while waiting:
        task = waiting.pop()
        outcome = ranges(task)
        following = [] if outcome.state == "done" else follow_up(task, outcome, units)
        waiting += following
        if not following:
            assert not ended.keys() & set(task.span.numbers)
            ended |= dict.fromkeys(task.span.numbers, outcome.state)
    assert sorted(ended) == list(range(1, 9))
    if culprit_known:
        good = {number for number in range(1, 9) if not times.get(number)}
        assert all(ended[number] == "done" for number in good)


class Stopped:
    """An executor whose tasks end with the stop file, as those of a cluster do: not when they are cancelled."""

    def __init__(self, state: State) -> None:
        self.state, self.threads = state, []

    def submit(self, function: Callable[[Task], Outcome], task: Task) -> Future[Outcome]:
        attempt = attempts_folder(self.state.folder) / f"{task.span.name}.0123abcd"
        attempt.mkdir(parents=True)

        def work() -> None:
            while not stop_file(self.state.folder).exists():
                self.pause.wait(0.05)
            attempt.rmdir()

        self.pause = threading.Event()
        self.threads.append(threading.Thread(target=work))
        self.threads[-1].start()
        return Future()


@pytest.fixture
def signals() -> Iterator[None]:
    """Put the handlers back that a stop switches off."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals")
def test_ctrl_c_waits_for_what_runs_elsewhere_and_keeps_what_is_done(
    state: State, template: Task, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(Range(1, 2), Image_csv="x")
    executor = Stopped(state)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "wait", interrupt)
    with BatchProgress(8, 0) as progress, pytest.raises(KeyboardInterrupt):
        Run(state, template, executor, progress).do([Range(3, 5), Range(6, 8)])  # type: ignore[arg-type]
    assert list(attempts_folder(state.folder).iterdir()) == []
    assert state.done == [Range(1, 2)]
    for thread in executor.threads:
        thread.join()
