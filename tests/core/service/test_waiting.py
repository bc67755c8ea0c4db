"""Whose turn it is."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellspan.core.service.errors import Refusal
from cellspan.core.service.jobs import Job
from cellspan.core.service.waiting import WaitingJobs

from .fakes import LONG, a_job

pytestmark = pytest.mark.quick


def filled(*jobs: Job, most: int = 1000) -> WaitingJobs:
    waiting = WaitingJobs(most)
    for job in jobs:
        waiting.put(job)
    return waiting


def taken(waiting: WaitingJobs, count: int, urgent_only: bool = False) -> list[Job]:
    """The next jobs, each done before the next is taken."""
    jobs = []
    for _ in range(count):
        job = waiting.take(urgent_only, 1)
        assert job is not None
        waiting.done(job)
        jobs.append(job)
    return jobs


def nothing_comes(waiting: WaitingJobs, most_long: int = 1) -> bool:
    """Whether nothing may be taken now; the queue is closed by that."""
    heard: list[Job | None] = []
    thread = threading.Thread(target=lambda: heard.append(waiting.take(False, most_long)))
    thread.start()
    thread.join(0.05)
    waits = thread.is_alive()
    waiting.close()
    thread.join(LONG)
    return waits and heard == [None]


def test_clients_take_turns() -> None:
    many = [a_job("many") for _ in range(3)]
    one, two = a_job("one"), a_job("two")
    assert taken(filled(*many, one, two), 5) == [many[0], one, two, many[1], many[2]]


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(st.tuples(st.just("put"), st.sampled_from("abcd"), st.booleans()), st.tuples(st.just("take"))),
        max_size=40,
    )
)
def test_no_client_is_served_twice_while_another_one_waits(acts: list[tuple[object, ...]]) -> None:
    waiting = WaitingJobs()
    queued: list[Job] = []
    passed: dict[tuple[bool, str], set[str]] = {}  # who was served since a client began to wait, or was served
    for act in acts:
        if act[0] == "put":
            job = a_job(str(act[1]), interactive=bool(act[2]))
            if not any((other.urgent, other.client) == (job.urgent, job.client) for other in queued):
                passed[job.urgent, job.client] = set()
            queued.append(job)
            waiting.put(job)
        elif queued:
            (job,) = taken(waiting, 1)
            assert job.urgent == any(other.urgent for other in queued)
            queued.remove(job)
            passed[job.urgent, job.client] = set()
            for urgent, client in {(other.urgent, other.client) for other in queued}:
                if urgent == job.urgent and client != job.client:
                    assert job.client not in passed[urgent, client]
                    passed[urgent, client].add(job.client)


def test_jobs_of_one_client_are_served_as_they_came() -> None:
    jobs = [a_job() for _ in range(5)]
    assert taken(filled(*jobs), 5) == jobs


def test_somebody_who_sits_and_waits_comes_first() -> None:
    batch, urgent = a_job("batch"), a_job("fiji", interactive=True)
    assert taken(filled(batch, urgent), 2) == [urgent, batch]


def test_a_thread_for_urgent_jobs_takes_no_others() -> None:
    batch, urgent = a_job("batch"), a_job("fiji", interactive=True)
    waiting = filled(batch, urgent)
    assert taken(waiting, 1, urgent_only=True) == [urgent]
    heard: list[Job | None] = []
    thread = threading.Thread(target=lambda: heard.append(waiting.take(True, 1)))
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    assert waiting.close() == [batch]
    thread.join(LONG)
    assert heard == [None]


def test_an_interactive_volume_is_not_urgent() -> None:
    assert not a_job(is_long=True, interactive=True).urgent


def test_volumes_leave_a_worker_to_images_also_to_those_of_the_same_client() -> None:
    volumes, image = [a_job("v", is_long=True) for _ in range(2)], a_job("v")
    waiting = filled(*volumes, image)
    assert waiting.take(False, 1) is volumes[0]
    assert waiting.take(False, 1) is image
    waiting.done(image)
    waiting.done(volumes[0])
    assert waiting.take(False, 1) is volumes[1]


def test_a_second_volume_waits_for_the_first() -> None:
    waiting = filled(a_job("v", is_long=True), a_job("w", is_long=True))
    waiting.take(False, 1)
    assert nothing_comes(waiting)


def test_a_full_queue_asks_to_come_again_later() -> None:
    waiting = filled(a_job(), a_job(), most=2)
    with pytest.raises(Refusal, match="2 images are waiting") as refused:
        waiting.put(a_job())
    assert (refused.value.status, refused.value.code) == (503, "queue_full")
    assert float(refused.value.headers["Retry-After"]) > 0
    taken(waiting, 1)
    waiting.put(a_job())
    assert len(waiting) == 2


def test_one_client_cannot_take_all_the_room() -> None:
    waiting = filled(*(a_job("many") for _ in range(20)), most=20)
    waiting.put(a_job("one"))
    with pytest.raises(Refusal):
        waiting.put(a_job("one"))
    waiting.put(a_job("two"))
    with pytest.raises(Refusal):  # names are cheap
        waiting.put(a_job("three"))


def test_a_dropped_job_never_comes() -> None:
    first, second, other = a_job(), a_job(), a_job("b")
    waiting = filled(first, second, other)
    assert waiting.drop(first)
    assert not waiting.drop(first)
    assert taken(waiting, 2) == [second, other]
    assert not waiting.drop(second)
    assert len(waiting) == 0


def test_each_job_knows_how_many_come_before_it() -> None:
    many = [a_job("many") for _ in range(3)]
    one, urgent = a_job("one"), a_job("fiji", interactive=True)
    waiting = filled(*many, one, urgent)
    told = {job.id: waiting.before(job) for job in (*many, one, urgent)}
    order = taken(waiting, 5)
    assert [told[job.id] for job in order] == [0, 1, 2, 3, 4]
    assert waiting.before(one) == 0


def test_a_closed_queue_gives_back_what_waits_and_takes_nothing_more() -> None:
    jobs = [a_job("a"), a_job("b", interactive=True), a_job("a")]
    waiting = filled(*jobs)
    assert sorted(job.id for job in waiting.close()) == sorted(job.id for job in jobs)
    assert waiting.take(False, 1) is None
    assert waiting.close() == []
    with pytest.raises(Refusal) as refused:
        waiting.put(a_job())
    assert refused.value.code == "stopping"


def test_closing_wakes_those_who_wait_for_a_job() -> None:
    waiting = WaitingJobs()
    heard: list[Job | None] = []
    threads = [threading.Thread(target=lambda: heard.append(waiting.take(False, 1))) for _ in range(3)]
    for thread in threads:
        thread.start()
    waiting.close()
    for thread in threads:
        thread.join(LONG)
    assert heard == [None] * 3


def test_a_job_that_is_taken_is_running() -> None:
    job = a_job()
    assert job.state == "queued"
    assert filled(job).take(False, 1) is job
    assert job.state == "running"


def test_a_suspect_waits_until_nothing_else_is_worked_on_and_holds_up_the_next() -> None:
    image, suspect, later = a_job("a"), a_job("b", strikes=1), a_job("c")
    waiting = filled(image, suspect, later)
    assert waiting.take(False, 1) is image
    waiting.done(image)
    assert waiting.take(False, 1) is suspect
    assert nothing_comes(waiting)


def test_nothing_is_begun_while_a_suspect_waits_for_an_image_to_end() -> None:
    waiting = filled(a_job("a"), a_job("b", strikes=1), a_job("c"))
    waiting.take(False, 1)
    assert nothing_comes(waiting)


def test_a_suspect_that_waits_for_a_volume_holds_up_other_volumes_and_no_images() -> None:
    volume, suspect, image, next_volume = (
        a_job("a", is_long=True), a_job("b", strikes=1), a_job("c"), a_job("d", is_long=True)
    )  # fmt: skip
    waiting = filled(volume, suspect, image, next_volume)
    assert waiting.take(False, 2) is volume
    assert waiting.take(False, 2) is image
    waiting.done(image)
    assert nothing_comes(waiting, most_long=2)


def test_after_a_suspect_all_goes_on() -> None:
    suspect, others = a_job("a", strikes=1), [a_job("b"), a_job("c")]
    waiting = filled(suspect, *others)
    assert taken(waiting, 1) == [suspect]
    assert [waiting.take(False, 1) for _ in others] == others


def test_a_suspect_lets_others_go_first_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellspan.core.service.waiting.HOLD", 0.2)
    monkeypatch.setattr("cellspan.core.service.waiting.PATIENCE", 60.0)
    suspect, others = a_job("a", strikes=1), [a_job("b"), a_job("c")]
    waiting = filled(suspect, *others)
    assert taken(waiting, 2) == others
    started = time.monotonic()
    assert waiting.take(False, 1) is suspect, "nobody else waits any more"
    assert time.monotonic() - started < 10
    waiting.done(suspect)
    late, image = a_job("a", strikes=1), a_job("b")
    late.came -= 100
    waiting = filled(late, image)
    assert taken(waiting, 1) == [late], "it has waited long enough"
