"""The addresses of the engine, from an image to its labels."""

from __future__ import annotations

import asyncio
import io
import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.testclient import TestClient

from cellspan.core.machine.kept_code import PROGRESS
from cellspan.core.parameters import DYNAMICS, Parameters
from cellspan.core.service import routes
from cellspan.core.service.answers import ENCODERS
from cellspan.core.service.app import make_app
from cellspan.core.service.client import MASK_BYTES, NPY, as_npy
from cellspan.core.service.engine import Client, Engine
from cellspan.core.service.errors import Refusal
from cellspan.core.service.jobs import DISCONNECTED_SECONDS
from cellspan.core.service.routes import Context

from . import fakes
from .conftest import Post
from .fakes import LONG, TOKEN, FakeSegmenter, result_of, spots, until
from .test_jobs import submitted

pytestmark = pytest.mark.quick
IMAGE = spots((3, 3), (20, 20))


def npy(answer: httpx.Response) -> np.ndarray:
    """The array in an answer."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == NPY
    return np.load(io.BytesIO(answer.content))


def finished(http: TestClient, answer: httpx.Response) -> dict[str, Any]:
    """The job that was sent, when it is over."""
    assert answer.status_code == 202, answer.text
    job = http.get(f"/v1/jobs/{answer.json()['id']}?wait=20").json()
    assert job["state"] in ("done", "failed", "cancelled")
    return job


class Meanwhile:
    """A request in a thread of its own."""

    def __init__(self, ask: Callable[[], httpx.Response]) -> None:
        self._answers: list[httpx.Response] = []
        self._thread = threading.Thread(target=lambda: self._answers.append(ask()))
        self._thread.start()

    @property
    def waits(self) -> bool:
        return not self._answers

    def answer(self) -> httpx.Response:
        self._thread.join(LONG)
        return self._answers[0]


def watched(engine: Engine, job_id: str) -> bool:
    """Whether a client waits for this job."""
    return bool(engine.jobs._jobs[job_id]._watchers)


# ---- from an image to its labels


def test_an_image_becomes_labels(http: TestClient, post: Post) -> None:
    job = finished(http, post(IMAGE))
    assert job["state"] == "done"
    assert job["progress"] == 1
    assert job["result"]["count"] == 2
    expected = result_of(IMAGE)
    path = f"/v1/jobs/{job['id']}"
    for kind in ("labels", "probability", "flows"):
        assert np.array_equal(npy(http.get(f"{path}/{kind}")), getattr(expected, kind))
    assert http.get(f"{path}/labels", headers={"Accept": "text/html"}).status_code == 406
    assert http.get(f"{path}/colours").status_code == 404
    assert http.delete(path).status_code == 204
    assert http.delete(path).status_code == 404
    assert http.get(f"{path}/labels").status_code == 404


def test_a_mask_after_the_image_limits_where_is_looked(http: TestClient) -> None:
    image, mask = as_npy(spots((3, 3), (20, 20))), as_npy(np.arange(32)[:, None] * np.ones((1, 32)) < 15)
    headers = {"Content-Type": NPY, "Idempotency-Key": "one"}
    address = f"/v1/jobs?min_size=0&{MASK_BYTES}="
    job = finished(http, http.post(f"{address}{len(mask)}", content=image + mask, headers=headers))
    assert job["result"]["count"] == 1
    # The same bytes with another mask are another image.
    assert http.post(f"{address}{len(mask) - 1}", content=image + mask, headers=headers).status_code == 422


@pytest.mark.parametrize(
    ("count", "words"),
    [("9999999", "mask_bytes = 9999999, but image and mask"), ("-1", "mask_bytes = '-1'"), ("x", "number of bytes")],
)
def test_a_mask_that_cannot_be_is_refused(http: TestClient, engine: Engine, count: str, words: str) -> None:
    answer = http.post(f"/v1/jobs?{MASK_BYTES}={count}", content=as_npy(IMAGE), headers={"Content-Type": NPY})
    assert answer.status_code == 400
    assert words in answer.json()["sentence"]
    assert engine.uploads.used("memory") == 0


def test_a_mask_of_another_size_fails_in_one_sentence(http: TestClient) -> None:
    mask = as_npy(np.ones((3, 4)))
    content, headers = as_npy(IMAGE) + mask, {"Content-Type": NPY}
    job = finished(http, http.post(f"/v1/jobs?{MASK_BYTES}={len(mask)}", content=content, headers=headers))
    assert job["message"] == "the mask has 4 x 3 pixels, but the image 32 x 32; they must be alike."


def test_parameters_and_device_are_in_the_query(http: TestClient, post: Post) -> None:
    assert finished(http, post(IMAGE, "min_size=26&device=cpu&model=fake"))["result"]["count"] == 0


def test_a_failed_job_says_why(http: TestClient, post: Post) -> None:
    job = finished(http, post(np.zeros((2, 2), "U3")))
    assert (job["state"], job["error"]["code"]) == ("failed", "refused")
    assert job["error"]["sentence"] == job["message"]
    answer = http.get(f"/v1/jobs/{job['id']}/labels")
    assert (answer.status_code, answer.json()["code"], answer.json()["fields"]) == (
        409,
        "not_done",
        {"state": "failed"},
    )


def test_labels_of_a_job_that_runs_are_not_there_yet(http: TestClient, post: Post, segmenter: FakeSegmenter) -> None:
    segmenter.gate.clear()
    answer = http.get(f"/v1/jobs/{post().json()['id']}/labels")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_done")


def test_the_same_key_is_the_same_job_and_another_image_is_refused(http: TestClient, post: Post) -> None:
    first = post(IMAGE, Idempotency_Key="k").json()
    assert post(IMAGE, Idempotency_Key="k").json()["id"] == first["id"]
    assert post(IMAGE + 1, Idempotency_Key="k").status_code == 422
    answer = post(IMAGE, "min_size=7", Idempotency_Key="k")
    assert (answer.status_code, answer.json()["code"]) == (422, "key_taken")
    assert finished(http, post(IMAGE, Idempotency_Key="k"))["state"] == "done"


def test_health_and_models_tell_what_is_there(
    http: TestClient, post: Post, engine: Engine, segmenter: FakeSegmenter
) -> None:
    segmenter.gate.clear()
    jobs = [post().json()["id"] for _ in range(3)]
    until(lambda: engine.jobs.count()["running"] == 2)
    health = http.get("/v1/health").json()
    assert (health["status"], health["busy"], health["queued"], health["running"]) == ("ok", True, 1, 2)
    listed = {"name": "fake", "bytes": os.path.getsize(fakes.__file__), "graphics_card_advised": False}
    assert http.get("/v1/models").json() == {"models": [listed]}
    segmenter.gate.set()
    for job in jobs:
        http.get(f"/v1/jobs/{job}?wait=20")
    assert http.get("/v1/health").json()["busy"] is False


def test_who_waits_hears_how_many_come_before(http: TestClient, post: Post, segmenter: FakeSegmenter) -> None:
    segmenter.gate.clear()
    for _ in range(2):
        post()
    until(lambda: len(segmenter.begun) == 2)
    told = [http.get(f"/v1/jobs/{post().json()['id']}").json()["message"] for _ in range(3)]
    assert told == [
        "waiting for the engine: 0 jobs before this one",
        "waiting for the engine: 1 job before this one",
        "waiting for the engine: 2 jobs before this one",
    ]


def test_programs_hear_how_many_jobs_wait_before_and_how_many_others_run(
    http: TestClient, post: Post, segmenter: FakeSegmenter
) -> None:
    segmenter.gate.clear()
    running, _ = (post().json()["id"] for _ in range(2))
    until(lambda: len(segmenter.begun) == 2)
    waiting = [http.get(f"/v1/jobs/{post().json()['id']}").json() for _ in range(3)]
    assert [(job["before"], job["running"]) for job in waiting] == [(0, 2), (1, 2), (2, 2)]
    state = http.get(f"/v1/jobs/{running}").json()
    assert (state["state"], state["running"], "before" in state) == ("running", 1, False)
    segmenter.gate.set()
    done = http.get(f"/v1/jobs/{running}?wait=20").json()
    assert done["state"] == "done"
    assert not {"before", "running"} & set(done)


def test_a_job_that_runs_while_code_is_compiled_says_so(
    http: TestClient, post: Post, segmenter: FakeSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter.gate.clear()
    job = f"/v1/jobs/{post().json()['id']}"
    until(lambda: len(segmenter.begun) == 1)
    words = PROGRESS.format("once")
    monkeypatch.setattr(routes, "preparing", lambda: words)
    assert http.get(job).json()["message"] == words
    segmenter.gate.set()
    assert http.get(f"{job}?wait=20").json()["message"] != words


def test_an_interactive_image_comes_before_those_that_wait(
    http: TestClient, post: Post, engine: Engine, segmenter: FakeSegmenter
) -> None:
    segmenter.gate.clear()
    batch = [post(Cellspan_Client="batch").json()["id"] for _ in range(20)]
    until(lambda: engine.jobs.count()["running"] == 2)
    urgent = post(Cellspan_Client="fiji", Cellspan_Interactive="true").json()["id"]
    until(lambda: engine.jobs._jobs[urgent].state == "running")
    segmenter.gate.set()
    assert http.get(f"/v1/jobs/{urgent}?wait=20").json()["state"] == "done"
    for job in batch:
        assert http.get(f"/v1/jobs/{job}?wait=20").json()["state"] == "done"


# ---- deleting


def test_a_job_that_waits_is_cancelled_at_once(
    http: TestClient, post: Post, engine: Engine, segmenter: FakeSegmenter
) -> None:
    segmenter.gate.clear()
    for _ in range(2):
        post()
    until(lambda: len(segmenter.begun) == 2)
    job_id = post().json()["id"]
    job = engine.jobs._jobs[job_id]
    assert http.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert job.state == "cancelled"
    assert http.get(f"/v1/jobs/{job_id}").status_code == 404
    assert engine.uploads.used("memory") == 0


def test_a_job_that_runs_is_cancelled_and_whoever_waits_for_it_hears_at_once(
    http: TestClient, post: Post, engine: Engine, segmenter: FakeSegmenter
) -> None:
    segmenter.gate.clear()
    job_id = post().json()["id"]
    job = engine.jobs._jobs[job_id]
    until(lambda: segmenter.begun)
    poll = Meanwhile(lambda: http.get(f"/v1/jobs/{job_id}?wait=30"))
    until(lambda: watched(engine, job_id))
    began = time.monotonic()
    assert http.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert poll.answer().status_code == 404
    until(lambda: job.state == "cancelled", seconds=2)
    assert time.monotonic() - began < 10
    assert engine.results.used() == (0, 0)
    assert segmenter.ended == 0


def test_deleting_frees_what_was_found(http: TestClient, post: Post, engine: Engine) -> None:
    job = finished(http, post(IMAGE))
    assert engine.results.used()[0] > 0
    http.delete(f"/v1/jobs/{job['id']}")
    assert engine.results.used() == (0, 0)


def test_images_that_are_deleted_at_any_moment_leave_nothing(http: TestClient, post: Post, engine: Engine) -> None:
    def send_and_delete(seed: int) -> None:
        for k in range(8):
            path = f"/v1/jobs/{post().json()['id']}"
            time.sleep((seed + k) % 5 * 0.001)
            assert http.delete(path).status_code == 204

    threads = [threading.Thread(target=send_and_delete, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    until(lambda: not engine._workers["cpu"].waiting._running)
    assert engine.results.used() == (0, 0)
    assert engine.uploads.used("memory") == 0
    assert engine.jobs.all() == []


# ---- waiting


def test_a_long_poll_ends_as_soon_as_the_job_is_done(
    http: TestClient, post: Post, engine: Engine, segmenter: FakeSegmenter
) -> None:
    segmenter.gate.clear()
    job_id = post().json()["id"]
    polls = [Meanwhile(lambda: http.get(f"/v1/jobs/{job_id}?wait=30")) for _ in range(3)]
    until(lambda: len(engine.jobs._jobs[job_id]._watchers) == 3)
    assert all(poll.waits for poll in polls)
    began = time.monotonic()
    segmenter.gate.set()
    assert [poll.answer().json()["state"] for poll in polls] == ["done"] * 3
    assert time.monotonic() - began < 10


def test_a_long_poll_ends_when_its_time_is_over(http: TestClient, post: Post, segmenter: FakeSegmenter) -> None:
    segmenter.gate.clear()
    job_id = post().json()["id"]
    began = time.monotonic()
    assert http.get(f"/v1/jobs/{job_id}?wait=0.05").json()["state"] in ("queued", "running")
    assert 0.05 <= time.monotonic() - began < 10


def test_nobody_waits_longer_than_is_sound(
    http: TestClient, post: Post, segmenter: FakeSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "LONGEST_WAIT", 0.05)
    segmenter.gate.clear()
    job_id = post().json()["id"]
    assert http.get(f"/v1/jobs/{job_id}?wait=1e9").json()["state"] in ("queued", "running")


def asgi(app: Any, path: str, query: str, receive: Callable[[], Any]) -> list[dict[str, Any]]:
    """A request as a server hands it on; what was sent."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {TOKEN}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }

    async def call() -> None:
        await asyncio.wait_for(app(scope, receive, send), LONG)

    asyncio.run(call())
    return sent


def test_a_client_that_goes_away_while_it_waits_is_noticed(engine: Engine, segmenter: FakeSegmenter) -> None:
    segmenter.gate.clear()
    job = submitted(engine, client=Client("a", lease=3600))
    messages = [{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    app = make_app(Context(engine, TOKEN, lambda: None, lambda: False))
    began = time.monotonic()
    asgi(app, f"/v1/jobs/{job.id}", "wait=30", receive)
    assert time.monotonic() - began < 10
    assert not job._watchers
    assert not job.expired(time.monotonic())
    assert job.expired(time.monotonic() + DISCONNECTED_SECONDS + 1)
    engine.get(job.id)  # it is there again
    assert not job.expired(time.monotonic() + 3000)


def test_a_client_that_dies_between_two_questions_is_noticed(
    http: TestClient, post: Post, engine: Engine, segmenter: FakeSegmenter
) -> None:
    segmenter.gate.clear()
    job_id = post(Cellspan_Lease="90").json()["id"]
    job = engine.jobs._jobs[job_id]
    assert http.get(f"/v1/jobs/{job_id}?wait=0.1").json()["state"] != "done"
    assert not job.expired(time.monotonic() + 80)
    assert http.get(f"/v1/jobs/{job_id}?wait=0.1&within=15").json()["state"] != "done"
    assert not job.expired(time.monotonic() + 10)
    assert job.expired(time.monotonic() + 16)
    assert http.get(f"/v1/jobs/{job_id}?within=0").status_code == 400


def test_a_lease_does_not_end_under_a_client_that_waits(
    http: TestClient, post: Post, engine: Engine, segmenter: FakeSegmenter
) -> None:
    segmenter.gate.clear()
    job_id = post(Cellspan_Lease="1").json()["id"]
    poll = Meanwhile(lambda: http.get(f"/v1/jobs/{job_id}?wait=30"))
    until(lambda: watched(engine, job_id))
    engine.jobs._jobs[job_id].seen -= 100
    engine.drop_expired()
    segmenter.gate.set()
    assert poll.answer().json()["state"] == "done"


def test_a_result_that_is_dropped_while_it_is_fetched_arrives_whole(
    http: TestClient, post: Post, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = finished(http, post(IMAGE))
    encode = routes.encode

    def dropped_meanwhile(*arguments: Any) -> Any:
        engine.jobs._jobs[job["id"]].seen -= 10_000
        engine.drop_expired()
        assert engine.jobs.all() == []
        return encode(*arguments)

    monkeypatch.setattr(routes, "encode", dropped_meanwhile)
    assert np.array_equal(npy(http.get(f"/v1/jobs/{job['id']}/labels")), result_of(IMAGE).labels)


def test_a_dropped_result_is_gone_and_says_so(http: TestClient, post: Post, engine: Engine) -> None:
    job = finished(http, post(IMAGE))
    engine.results.drop(engine.jobs._jobs[job["id"]])
    for answer in (http.get(f"/v1/jobs/{job['id']}/labels"), http.post(f"/v1/jobs/{job['id']}/again?min_size=1")):
        assert (answer.status_code, answer.json()["code"]) == (410, "gone")


# ---- again


def test_other_thresholds_give_what_the_result_itself_gives(http: TestClient, post: Post) -> None:
    image = IMAGE.copy()
    image[20:25, 20:25] = 1
    job = finished(http, post(image))
    assert job["result"]["count"] == 2
    again = finished(http, http.post(f"/v1/jobs/{job['id']}/again?cellprob_threshold=5"))
    assert again["id"] != job["id"]
    assert again["result"]["count"] == 1
    expected = result_of(image).again(Parameters(min_size=0, cellprob_threshold=5))
    assert np.array_equal(npy(http.get(f"/v1/jobs/{again['id']}/labels")), expected.labels)
    assert np.array_equal(npy(http.get(f"/v1/jobs/{job['id']}/labels")), result_of(image).labels)
    twice = finished(http, http.post(f"/v1/jobs/{again['id']}/again?min_size=26"))
    assert twice["result"]["count"] == 0


def test_again_without_changes_and_with_the_same_network_is_allowed(http: TestClient, post: Post) -> None:
    job = finished(http, post(IMAGE, "min_size=0&diameter=20"))
    for query in ("", "diameter=20", "model=cyto&min_size=3"):
        assert finished(http, http.post(f"/v1/jobs/{job['id']}/again?{query}"))["state"] == "done"


def test_again_has_keys_of_its_own(http: TestClient, post: Post) -> None:
    job = finished(http, post(IMAGE))
    path, headers = f"/v1/jobs/{job['id']}/again", {"Idempotency-Key": "k"}
    first = http.post(f"{path}?min_size=3", headers=headers).json()["id"]
    assert http.post(f"{path}?min_size=3", headers=headers).json()["id"] == first
    assert http.post(f"{path}?min_size=4", headers=headers).status_code == 422


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("diameter=7", "diameter = 7.0 needs the network once more"),
        ("model=fake", "model = fake needs the network"),
        ("device=cpu", "no option 'device'"),
        ("colour=red", "no option 'colour'"),
        ("min_size=-1", "min_size = '-1' is not possible"),
    ],
)
def test_again_refuses_what_needs_the_network(http: TestClient, post: Post, query: str, words: str) -> None:
    job = finished(http, post(IMAGE))
    answer = http.post(f"/v1/jobs/{job['id']}/again?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "refused")
    assert words in answer.json()["sentence"]


def test_again_of_a_volume_is_refused_at_once(engine: Engine, http: TestClient, post: Post) -> None:
    job = finished(http, post(np.zeros((3, 8, 8), np.float32), "do_3d=true"))
    assert job["state"] == "done"
    answer = http.post(f"/v1/jobs/{job['id']}/again?min_size=3")
    assert answer.status_code == 400
    assert "volume" in answer.json()["sentence"]


def test_again_waits_until_the_job_is_done(http: TestClient, post: Post, segmenter: FakeSegmenter) -> None:
    segmenter.gate.clear()
    answer = http.post(f"/v1/jobs/{post().json()['id']}/again")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_done")


# ---- stopping


def test_a_client_can_ask_the_engine_to_stop(http: TestClient, stops: list[bool]) -> None:
    answer = http.post("/v1/stop")
    assert (answer.status_code, answer.json()) == (202, {"status": "stopping"})
    assert stops == [True]


def is_stopping(answer: httpx.Response) -> bool:
    """Whether the client should go to the next engine."""
    return answer.status_code == 503 and answer.json()["code"] == "stopping" and "Retry-After" in answer.headers


def test_an_engine_that_stops_hands_back_what_waits_and_finishes_what_runs(
    http: TestClient, post: Post, engine: Engine, segmenter: FakeSegmenter
) -> None:
    done = finished(http, post(IMAGE))["id"]
    segmenter.gate.clear()
    running = [post().json()["id"] for _ in range(2)]
    until(lambda: engine.jobs.count()["running"] == 2)
    waits = post(Idempotency_Key="k").json()["id"]
    poll = Meanwhile(lambda: http.get(f"/v1/jobs/{waits}?wait=30"))
    until(lambda: watched(engine, waits))
    engine.stop()
    assert is_stopping(poll.answer())
    assert is_stopping(http.get(f"/v1/jobs/{waits}"))
    assert is_stopping(post())
    assert is_stopping(post(Idempotency_Key="k"))
    assert is_stopping(http.post(f"/v1/jobs/{done}/again?min_size=1"))
    assert http.get("/v1/health").json()["status"] == "stopping"
    assert npy(http.get(f"/v1/jobs/{done}/labels")).max() == 2
    assert http.get(f"/v1/jobs/{running[0]}").json()["state"] == "running"
    segmenter.gate.set()
    for job_id in running:
        assert http.get(f"/v1/jobs/{job_id}?wait=20").json()["state"] == "done"
        assert npy(http.get(f"/v1/jobs/{job_id}/labels")).max() == 1
    assert not engine.wanted
    assert engine.uploads.used("memory") == 0


def test_what_runs_too_long_is_handed_back_and_whoever_waits_hears_at_once(
    http: TestClient, post: Post, engine: Engine, segmenter: FakeSegmenter
) -> None:
    segmenter.gate.clear()
    job_id = post().json()["id"]
    until(lambda: segmenter.begun)
    poll = Meanwhile(lambda: http.get(f"/v1/jobs/{job_id}?wait=30"))
    until(lambda: watched(engine, job_id))
    engine.stop()
    assert poll.waits
    engine.hand_back()
    assert is_stopping(poll.answer())
    until(lambda: not engine.busy, seconds=2)
    assert is_stopping(http.get(f"/v1/jobs/{job_id}"))
    assert is_stopping(http.get(f"/v1/jobs/{job_id}/labels"))
    assert engine.join(LONG)


def test_what_was_done_just_before_it_would_have_been_handed_back_can_be_fetched(
    http: TestClient, post: Post, engine: Engine
) -> None:
    job = finished(http, post(IMAGE))
    engine.stop()
    engine.jobs._jobs[job["id"]].handed_back = True  # as if it had ended between two lines of `hand_back`
    assert npy(http.get(f"/v1/jobs/{job['id']}/labels")).max() == 2


def test_images_that_come_while_the_engine_stops_are_done_or_handed_back(
    http: TestClient, post: Post, engine: Engine
) -> None:
    answers: list[httpx.Response] = []

    def send() -> None:
        for _ in range(10):
            answers.append(post())

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(answers) > 5)
    engine.stop()
    for thread in threads:
        thread.join(LONG)
    until(lambda: not engine.busy)
    for answer in answers:
        if answer.status_code == 202:
            poll = http.get(f"/v1/jobs/{answer.json()['id']}?wait=20")
            assert is_stopping(poll) or poll.json()["state"] == "done"
        else:
            assert is_stopping(answer)
    assert engine.join(LONG)


# ---- an engine whose program was replaced


def test_an_outdated_engine_refuses_new_clients_and_serves_its_own(
    http: TestClient, post: Post, engine: Engine
) -> None:
    mine = finished(http, post(IMAGE, Cellspan_Client="mine"))
    finished(http, post(IMAGE))  # without a name
    engine.outdated = True
    assert http.get("/v1/health").json()["status"] == "outdated"
    assert is_stopping(post(Cellspan_Client="new"))
    assert is_stopping(post())
    assert finished(http, post(IMAGE, Cellspan_Client="mine"))["state"] == "done"
    again = http.post(f"/v1/jobs/{mine['id']}/again?min_size=1", headers={"Cellspan-Client": "mine"})
    assert finished(http, again)["state"] == "done"


def test_names_of_clients_are_not_collected_for_ever(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellspan.core.service.engine.MOST_CLIENTS", 2)
    for name in "abc":
        submitted(engine, client=Client(name))
    engine.outdated = True
    engine.check_open(Client("b"))
    with pytest.raises(Refusal):
        engine.check_open(Client("a"))


# ---- load


def test_when_results_take_all_the_room_the_next_image_comes_later(
    http: TestClient, post: Post, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = finished(http, post(IMAGE))
    monkeypatch.setattr(engine.results, "_on_disk", 0)
    answer = post(IMAGE)
    assert (answer.status_code, answer.json()["code"]) == (507, "results_full")
    assert answer.headers["Retry-After"]
    assert npy(http.get(f"/v1/jobs/{job['id']}/labels")).max() == 2


def test_a_full_queue_asks_to_come_again(
    http: TestClient, post: Post, engine: Engine, segmenter: FakeSegmenter
) -> None:
    segmenter.gate.clear()
    post()
    waiting = engine._workers["cpu"].waiting
    waiting._most = waiting._reserve = 0
    answer = post()
    assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (503, "queue_full", "2")
    assert engine.uploads.used("memory") <= 10_000


def test_a_model_on_a_dead_disk_holds_up_no_other_question(
    http: TestClient, post: Post, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    check = engine.models.check
    monkeypatch.setattr(engine.models, "check", lambda job: gate.wait(LONG) if job.model == "dead" else check(job))
    stuck = [Meanwhile(lambda: post(IMAGE, "model=dead")) for _ in range(60)]
    began = time.monotonic()
    assert http.get("/v1/health").status_code == 200
    assert finished(http, post(IMAGE))["state"] == "done"
    assert time.monotonic() - began < 10
    assert all(request.waits for request in stuck)
    gate.set()
    for request in stuck:
        request.answer()


def test_a_body_that_does_not_come_is_given_up(
    http: TestClient, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "BODY_SECONDS", 0.05)

    async def never() -> dict[str, Any]:
        await asyncio.sleep(LONG)
        raise AssertionError

    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = {"host": "127.0.0.1", "authorization": f"Bearer {TOKEN}", "content-type": NPY}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/jobs",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    app: Any = http.app
    asyncio.run(asyncio.wait_for(app(scope, never, send), LONG))
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["code"] == "too_slow"


# ---- the description


def test_everything_is_described(http: TestClient) -> None:
    described = http.get("/openapi.json").json()
    operations = {
        (method, path): operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }
    assert set(operations) == {
        ("get", "/v1/hello"),
        ("get", "/v1/health"),
        ("get", "/v1/models"),
        ("post", "/v1/jobs"),
        ("get", "/v1/jobs/{job_id}"),
        ("delete", "/v1/jobs/{job_id}"),
        *(("get", f"/v1/jobs/{{job_id}}/{kind}") for kind in ENCODERS),
        ("post", "/v1/jobs/{job_id}/again"),
        ("post", "/v1/reviews"),
        ("post", "/v1/stop"),
        ("get", "/metrics"),
    }
    (scheme,) = described["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for (_, path), operation in operations.items():
        assert bool(operation.get("security")) == (path != "/v1/hello")
        assert operation["summary"]
        assert operation["description"]
        assert all(parameter.get("description") for parameter in operation.get("parameters", ()))
        assert "422" not in operation["responses"] or operation["responses"]["422"]["content"]
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert response["content"]["application/json"]["schema"]["$ref"].endswith("/Problem")
    names = {parameter["name"] for parameter in operations["post", "/v1/jobs"]["parameters"]}
    assert {*Parameters.model_fields, "device", "Idempotency-Key", "Cellspan-Client", MASK_BYTES} <= names
    assert set(operations["post", "/v1/jobs"]["requestBody"]["content"]) == {NPY, "image/tiff", "image/png"}
    again = {parameter["name"] for parameter in operations["post", "/v1/jobs/{job_id}/again"]["parameters"]}
    assert set(DYNAMICS) <= again
