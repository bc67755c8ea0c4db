"""Ending or pausing work in the middle."""

from __future__ import annotations

import threading
import time

import pytest

from cellspan.core.errors import Cancelled
from cellspan.core.machine.cancelling import abandonable, cancelled_by, checkpoint, raise_if_cancelled

pytestmark = pytest.mark.quick
LONG = 20.0


def test_work_that_nobody_owns_is_never_cancelled() -> None:
    checkpoint()
    raise_if_cancelled()
    assert abandonable(lambda: 7) == 7


def test_a_checkpoint_ends_work_that_is_not_wanted() -> None:
    wanted = [True]
    with cancelled_by(lambda: not wanted[0]):
        checkpoint()
        wanted[0] = False
        for ask in (checkpoint, raise_if_cancelled):
            with pytest.raises(Cancelled):
                ask()
    checkpoint()


def test_a_checkpoint_may_pause_and_asks_afterwards() -> None:
    heard: list[str] = []

    def is_cancelled() -> bool:
        heard.append("asked")
        return False

    with cancelled_by(is_cancelled, lambda: heard.append("paused")):
        checkpoint()
        raise_if_cancelled()
    assert heard == ["paused", "asked", "asked"]


def test_work_inside_other_work_has_its_own_owner() -> None:
    with cancelled_by(lambda: True):
        with cancelled_by(lambda: False):
            checkpoint()
        with pytest.raises(Cancelled):
            checkpoint()


def test_threads_side_by_side_do_not_mix() -> None:
    both = threading.Barrier(2, timeout=LONG)
    ends: dict[str, bool] = {}

    def work(name: str, cancelled: bool) -> None:
        with cancelled_by(lambda: cancelled):
            both.wait()
            try:
                checkpoint()
                ends[name] = False
            except Cancelled:
                ends[name] = True
            both.wait()

    threads = [threading.Thread(target=work, args=("wanted", False)), threading.Thread(target=work, args=("not", True))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert ends == {"wanted": False, "not": True}


def test_what_cannot_ask_is_left_to_end_alone() -> None:
    gate, begun = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        gate.wait(LONG)

    began = time.monotonic()
    with cancelled_by(begun.is_set), pytest.raises(Cancelled):
        abandonable(work)
    assert time.monotonic() - began < 2
    gate.set()


def test_its_result_and_its_errors_arrive_as_if_there_were_no_thread() -> None:
    def fails() -> None:
        raise KeyError("x")

    with cancelled_by(lambda: False):
        assert abandonable(lambda: 7) == 7
        with pytest.raises(KeyError, match="x"):
            abandonable(fails)


def test_inside_it_the_owner_is_the_same() -> None:
    wanted = [True]

    def work() -> None:
        checkpoint()
        wanted[0] = False
        checkpoint()

    with cancelled_by(lambda: not wanted[0]), pytest.raises(Cancelled):
        abandonable(work)
