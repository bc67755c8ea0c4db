"""States, leases and keys of jobs."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from cellspan.core.parameters import Parameters
from cellspan.core.service.engine import Client, Engine
from cellspan.core.service.errors import Refusal
from cellspan.core.service.jobs import DISCONNECTED_SECONDS, Job, JobTable
from cellspan.core.service.uploads import Upload

from .fakes import FakeSegmenter, a_job, spots, until

pytestmark = pytest.mark.quick


def an_upload(engine: Engine, size: int = 32) -> Upload:
    from cellspan.core.service.client import NPY, as_npy

    upload = engine.uploads.begin(NPY, None)
    upload.write(as_npy(spots((3, 3), shape=(size, size))))
    return upload


def submitted(
    engine: Engine, key: str | None = None, size: int = 32, client: Client | None = None, **values: object
) -> Job:
    parameters = Parameters(**{"min_size": 0, **values})
    return engine.submit(an_upload(engine, size), parameters, "cpu", client or Client("a"), key)


def test_a_job_goes_from_queued_to_done(engine: Engine, segmenter: FakeSegmenter) -> None:
    segmenter.gate.clear()
    job = submitted(engine)
    until(lambda: segmenter.begun)
    assert (job.state, job.message, job.over) == ("running", "running the network", False)
    segmenter.gate.set()
    until(lambda: job.over)
    assert (job.state, job.progress, job.message) == ("done", 1.0, "1 objects")
    assert job.as_json()["result"]["count"] == 1


def test_a_lease_ends_after_the_last_question() -> None:
    job = a_job(lease=10)
    assert not job.expired(job.seen + 9)
    assert job.expired(job.seen + 11)
    before = job.seen
    time.sleep(0.001)
    job.touch()
    assert job.seen > before


def test_no_lease_ends_while_a_client_waits_for_an_answer() -> None:
    job = a_job(lease=1)
    tell = threading.Event().set
    job.watch(tell)
    assert not job.expired(job.seen + 1000)
    job.unwatch(tell)
    assert job.expired(job.seen + 1000)


def test_a_client_that_promised_to_ask_again_counts_as_gone_if_it_does_not() -> None:
    job = a_job(lease=90)
    job.promise = 15
    assert not job.expired(job.seen + 14)
    assert job.expired(job.seen + 16)
    job.finish("done", "1 objects")
    assert not job.expired(job.seen + 80), "the result waits as long as the lease says"
    job = a_job(lease=90)
    job.promise = 15
    job.touch()
    assert not job.expired(job.seen + 80)


def test_a_client_whose_connection_broke_has_a_moment_to_come_back() -> None:
    job = a_job(lease=1000)
    job.seen -= 500
    job.lose_client()
    assert not job.expired(time.monotonic() + DISCONNECTED_SECONDS / 2)
    assert job.expired(time.monotonic() + DISCONNECTED_SECONDS + 1)
    job.touch()
    assert not job.expired(time.monotonic() + DISCONNECTED_SECONDS + 1)


def test_every_watcher_is_told_also_when_others_leave_meanwhile() -> None:
    job = a_job()
    told: list[str] = []

    def first() -> None:
        told.append("first")
        job.unwatch(first)

    for watcher in (first, lambda: told.append("second"), lambda: told.append("third")):
        job.watch(watcher)
    job.finish("done", "")
    assert told == ["first", "second", "third"]


def test_who_watches_a_job_that_is_over_is_told_at_once() -> None:
    job = a_job()
    job.finish("failed", "no")
    told = threading.Event()
    job.watch(told.set)
    assert told.is_set()


def test_a_failure_has_its_code_and_its_sentence() -> None:
    job = a_job()
    job.finish("failed", "The image is empty.", "refused")
    assert job.as_json()["error"] == {"code": "refused", "sentence": "The image is empty.", "fields": {}}


def test_two_jobs_are_never_equal() -> None:
    assert a_job(id="x", seen=0.0) != a_job(id="x", seen=0.0)


def test_the_same_key_gives_the_same_job() -> None:
    table = JobTable()
    job = a_job(key="k", fingerprint="f")
    assert table.add(job) is job
    job.seen = 0.0
    assert table.add(a_job(key="k", fingerprint="f")) is job
    assert job.seen > 0
    assert table.all() == [job]
    assert table.with_key("k", "f") is job
    assert table.with_key("other", "f") is None


def test_the_same_key_with_another_image_is_refused() -> None:
    table = JobTable()
    table.add(a_job(key="k", fingerprint="f"))
    with pytest.raises(Refusal, match="another image") as refused:
        table.add(a_job(key="k", fingerprint="g"))
    assert refused.value.status == 422


def test_a_forgotten_job_forgets_its_key() -> None:
    table = JobTable()
    old, new = a_job(key="k", fingerprint="f"), a_job(key="k", fingerprint="g")
    table.add(old)
    table.remove(old)
    assert table.add(new) is new
    table.remove(old)  # once more, which must not take the key of the new one
    assert table.with_key("k", "g") is new


def test_jobs_without_a_key_are_all_different() -> None:
    table = JobTable()
    table.add(a_job())
    table.add(a_job())
    assert table.count() == {"queued": 2, "running": 0, "done": 0, "failed": 0, "cancelled": 0}


def test_the_table_is_bounded() -> None:
    table = JobTable(most=1)
    job = a_job(key="k")
    table.add(job)
    with pytest.raises(Refusal) as refused:
        table.add(a_job())
    assert refused.value.status == 503
    assert "Retry-After" in refused.value.headers
    assert table.add(a_job(key="k")) is job  # which is there already


def test_a_key_is_for_one_image_and_one_set_of_parameters(engine: Engine) -> None:
    job = submitted(engine, "k")
    assert submitted(engine, "k") is job
    for other in ({"size": 33}, {"min_size": 9}):
        with pytest.raises(Refusal) as refused:
            submitted(engine, "k", **other)
        assert refused.value.status == 422


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_has_1_to_255_characters(engine: Engine, key: str) -> None:
    with pytest.raises(Refusal) as refused:
        submitted(engine, key)
    assert (refused.value.status, refused.value.code) == (400, "bad_key")


def test_a_second_upload_with_the_same_key_is_freed(engine: Engine, segmenter: FakeSegmenter) -> None:
    segmenter.gate.clear()
    job = submitted(engine, "k")
    until(lambda: job.state == "running")
    until(lambda: engine.uploads.used("memory") == 0)
    assert submitted(engine, "k") is job
    assert engine.uploads.used("memory") == 0


def test_the_same_key_is_answered_also_when_there_is_no_room_for_more(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submitted(engine, "k")
    until(lambda: job.over)
    monkeypatch.setattr(engine.results, "_on_disk", 0)
    with pytest.raises(Refusal):
        submitted(engine, "other")
    assert submitted(engine, "k") is job


def test_a_job_that_nobody_asks_for_is_dropped_in_the_queue(engine: Engine, segmenter: FakeSegmenter) -> None:
    segmenter.gate.clear()
    running = [submitted(engine), submitted(engine)]
    until(lambda: len(segmenter.begun) == 2)
    waits = submitted(engine, "k")
    waits.seen -= 1000
    engine.drop_expired()
    assert engine.jobs.get(waits.id) is None
    assert waits.state == "cancelled"
    assert engine.uploads.used("memory") == 0
    segmenter.gate.set()
    until(lambda: all(job.over for job in running))
    assert segmenter.ended == 2


def test_a_job_that_nobody_asks_for_is_dropped_in_the_middle(engine: Engine, segmenter: FakeSegmenter) -> None:
    segmenter.gate.clear()
    job = submitted(engine)
    until(lambda: segmenter.begun)
    job.seen -= 1000
    engine.drop_expired()
    until(lambda: job.state == "cancelled", seconds=2)
    assert segmenter.ended == 0
    assert engine.results.used() == (0, 0)


def test_a_result_that_nobody_asks_for_is_freed(engine: Engine) -> None:
    job = submitted(engine)
    until(lambda: job.over)
    assert engine.results.used()[0] > 0
    engine.drop_expired()
    assert engine.jobs.get(job.id) is job
    job.seen -= 1000
    engine.drop_expired()
    assert engine.results.used() == (0, 0)
    assert job.result is None


@pytest.mark.parametrize("lease", [0.5, float("nan"), float("inf"), 1e9])
def test_impossible_leases_are_refused(lease: float) -> None:
    with pytest.raises(Refusal) as refused:
        Client("a", lease=lease)
    assert refused.value.status == 400


def test_no_room_in_the_queue_leaves_nothing_behind(engine: Engine, segmenter: FakeSegmenter, tmp_path: Path) -> None:
    segmenter.gate.clear()
    submitted(engine)
    workers = engine._workers["cpu"]
    workers.waiting._most = workers.waiting._reserve = 0
    with pytest.raises(Refusal) as refused:
        submitted(engine, "k")
    assert refused.value.code == "queue_full"
    assert len(engine.jobs.all()) == 1
    assert engine.jobs.with_key("k", "") is None
