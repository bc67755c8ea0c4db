"""The engine behind the routes: who may send, what is done again, what ends an engine, and how it stops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters
from cellspan.core.service.client import NPY, as_npy
from cellspan.core.service.engine import Client, Engine, with_changes
from cellspan.core.service.errors import Refusal
from cellspan.core.service.jobs import LONGEST_LEASE, Job
from cellspan.core.service.strikes import MOST

from .fakes import LONG, FakeModels, FakeSegmenter, spots, until

pytestmark = pytest.mark.quick
ALL = Parameters(min_size=0)


def submit(engine: Engine, parameters: Parameters = ALL, client: Client | None = None, key: str | None = None) -> Job:
    upload = engine.uploads.begin(NPY, None)
    upload.write(as_npy(spots((3, 3))))
    return engine.submit(upload, parameters, "cpu", client or Client(), key)


def done(job: Job) -> Any:
    until(lambda: job.over)
    return job.result


@pytest.mark.parametrize(
    ("client", "code"),
    [({"name": "x" * 256}, "bad_client"), ({"lease": 0.5}, "bad_lease"), ({"lease": LONGEST_LEASE + 1}, "bad_lease")],
)
def test_clients_that_are_not_possible(client: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        Client(**client)
    assert (refusal.value.status, refusal.value.code) == (400, code)


def test_an_image_is_segmented(engine: Engine) -> None:
    job = submit(engine)
    assert done(job).count == 1
    assert (job.state, engine.busy, engine.wanted) == ("done", False, True)
    engine.delete(job)
    assert not engine.wanted
    with pytest.raises(Refusal, match="no job"):
        engine.get(job.id)


def test_a_model_or_device_that_is_not_there_is_refused_before_the_queue(engine: Engine) -> None:
    with pytest.raises(CellspanError, match="no model"):
        submit(engine, Parameters(model="none"))
    assert not engine.jobs.all()


def test_other_thresholds_on_what_the_network_said(engine: Engine) -> None:
    job = submit(engine)
    assert done(job).count == 1
    again = engine.again(job, {"min_size": "26"}, Client(), None)
    assert done(again).count == 0
    assert again.parameters == with_changes(ALL, {"min_size": 26})
    with pytest.raises(CellspanError):
        engine.again(job, {"diameter": 99}, Client(), None)


def test_an_image_that_ends_engines_is_not_tried_for_ever(tmp_path: Path, segmenter: FakeSegmenter) -> None:
    """Engines of one process look to each other like those that died in a container, where each has the same number."""
    segmenter.gate.clear()
    engines = []
    for _ in range(MOST):
        engines.append(Engine(FakeModels(segmenter), marks=tmp_path / "marks"))
        running = submit(engines[-1], key="the same image")
        until(lambda job=running: job.state == "running")
    engines.append(Engine(FakeModels(segmenter), marks=tmp_path / "marks"))
    refused = submit(engines[-1], key="the same image")
    assert refused.state == "failed"
    assert f"the engine {MOST} times" in refused.message
    another = submit(engines[-1], key="another image")
    segmenter.gate.set()
    assert done(another).count == 1
    for engine in engines:
        engine.stop()
        assert engine.join(LONG)


def test_an_engine_that_stops_takes_nothing_and_hands_back_what_waits(engine: Engine, segmenter: FakeSegmenter) -> None:
    segmenter.gate.clear()
    running = submit(engine)
    until(lambda: running.state == "running")
    waiting = submit(engine)
    assert engine.before(waiting) == 0
    engine.stop()
    assert (waiting.state, waiting.handed_back) == ("cancelled", True)
    with pytest.raises(Refusal) as refusal:
        submit(engine)
    assert refusal.value.code == "stopping"
    assert engine.get(running.id) is running, "what runs may end"
    segmenter.gate.set()
    assert done(running).count == 1


def test_an_outdated_engine_serves_its_own_clients_only(engine: Engine) -> None:
    submit(engine, client=Client("known"))
    engine.outdated = True
    engine.check_open(Client("known"))
    for stranger in (Client("new"), Client()):
        with pytest.raises(Refusal):
            engine.check_open(stranger)
