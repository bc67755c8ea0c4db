"""A lock that serves those who wait in the order in which they came."""

from __future__ import annotations

import random
import threading
import time

import pytest

from cellspan.core.errors import Cancelled
from cellspan.core.machine.cancelling import cancelled_by
from cellspan.core.machine.turns import Turns

pytestmark = pytest.mark.quick
LONG = 20.0


def until(condition: object) -> None:
    end = time.monotonic() + LONG
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.001)


def test_those_who_wait_are_served_as_they_came() -> None:
    turns, served = Turns(), []

    def wait(number: int) -> None:
        with turns:
            served.append(number)

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(8)]
    with turns:
        for number, thread in enumerate(threads):
            thread.start()
            until(lambda: len(turns._waiting) == number + 1)  # noqa: B023
    for thread in threads:
        thread.join(LONG)
    assert served == list(range(8))


def test_the_one_that_has_just_gone_waits_behind_those_who_wait() -> None:
    turns, served = Turns(), []

    def wait() -> None:
        with turns:
            served.append("other")

    other = threading.Thread(target=wait)
    with turns:
        other.start()
        until(lambda: turns._waiting)
    with turns:
        served.append("same")
    other.join(LONG)
    assert served == ["other", "same"]


def test_who_waits_can_be_cancelled_and_the_next_one_is_served() -> None:
    turns, served = Turns(), []
    cancelled = threading.Event()

    def wait(owner_is_cancelled: threading.Event | None) -> None:
        try:
            if owner_is_cancelled is None:
                with turns:
                    served.append("next")
            else:
                with cancelled_by(owner_is_cancelled.is_set), turns:
                    served.append("cancelled one")
        except Cancelled:
            served.append("gave up")

    threads = [threading.Thread(target=wait, args=(event,)) for event in (cancelled, None)]
    with turns:
        for thread in threads:
            thread.start()
        until(lambda: len(turns._waiting) == 2)
        cancelled.set()
        until(lambda: served)
        assert served == ["gave up"]
    for thread in threads:
        thread.join(LONG)
    assert served == ["gave up", "next"]


def test_an_error_inside_passes_the_turn_on() -> None:
    turns = Turns()
    with pytest.raises(KeyError), turns:
        raise KeyError
    with turns:
        pass


def test_a_turn_that_comes_at_the_moment_of_giving_up_is_passed_on() -> None:
    turns = Turns()
    mine = threading.Event()
    turns._taken = True
    turns._waiting.append(mine)
    turns._pass_on()
    assert mine.is_set()
    turns._give_up(mine)
    assert not turns._taken


def test_no_turn_is_lost_and_none_is_given_twice_while_many_threads_come_and_give_up() -> None:
    turns = Turns()
    inside, most, served, given_up = [0], [0], [0], [0]

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(40):
            end = time.monotonic() + chance.choice([0.0, 0.0005, LONG])
            try:
                with cancelled_by(lambda: time.monotonic() > end), turns:  # noqa: B023
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    time.sleep(chance.random() * 0.0005)
                    inside[0] -= 1
                    served[0] += 1
            except Cancelled:
                given_up[0] += 1

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert not any(thread.is_alive() for thread in threads)
    assert most[0] == 1
    assert served[0] + given_up[0] == 12 * 40
    assert not turns._taken
    assert not turns._waiting


def test_urgent_ones_come_first_in_their_own_order() -> None:
    turns, served = Turns(), []

    def wait(name: str, urgent: bool) -> None:
        with cancelled_by(lambda: False, urgent=urgent), turns:
            served.append(name)

    threads = [threading.Thread(target=wait, args=(name, name.isupper())) for name in ("a", "B", "c", "D")]
    with turns:
        for number, thread in enumerate(threads):
            thread.start()
            until(lambda: len(turns._waiting) == number + 1)  # noqa: B023
    for thread in threads:
        thread.join(LONG)
    assert served == ["B", "D", "a", "c"]


def test_with_two_places_two_have_their_turn_and_know_of_each_other() -> None:
    turns, third = Turns(places=2), []

    def wait() -> None:
        with turns as beside:
            third.append(beside)

    waiting = threading.Thread(target=wait)
    with turns as first:
        with turns as second:
            waiting.start()
            until(lambda: turns._waiting)
            assert not third
        waiting.join(LONG)
    assert (first, second, third) == (0, 1, [1])
    with turns as again:
        assert again == 0
