"""What Prometheus reads."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from cellspan.core.service.app import make_app
from cellspan.core.service.engine import Engine
from cellspan.core.service.metrics import Metrics
from cellspan.core.service.routes import Context

from .conftest import Post
from .fakes import TOKEN, FakeSegmenter, a_job, until

pytestmark = pytest.mark.quick


def numbers(http: TestClient) -> dict[str, float]:
    """Samples by name and labels."""
    answer = http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_jobs_objects_seconds_and_memory_are_counted(
    http: TestClient, post: Post, engine: Engine, segmenter: FakeSegmenter
) -> None:
    post()
    until(lambda: engine.jobs.count()["done"] == 1)
    segmenter.fault = KeyError("x")
    post()
    until(lambda: engine.jobs.count()["failed"] == 1)
    segmenter.gate.clear()
    running = [post().json()["id"] for _ in range(3)]
    until(lambda: engine.jobs.count()["running"] == 2)
    now = numbers(http)
    assert now["cellspan_jobs_total done"] == 1
    assert now["cellspan_jobs_total failed"] == 1
    assert now["cellspan_objects_total"] == 1
    assert (now["cellspan_queued_jobs"], now["cellspan_running_jobs"]) == (1, 2)
    assert now["cellspan_job_seconds_sum fake"] == 0.25
    assert now["cellspan_memory_bytes"] > 1e6
    assert now["cellspan_results_memory_bytes"] > 0
    assert now["cellspan_warm_models"] == 1
    for job_id in running:
        http.delete(f"/v1/jobs/{job_id}")
    until(lambda: numbers(http)["cellspan_jobs_total cancelled"] == 3)


def test_seconds_are_counted_by_stage_and_waiting_is_one() -> None:
    metrics, job = Metrics(), a_job()
    job.came -= 100
    with metrics.stages(job) as on_stage:
        for words in ("starting", "slice 3 of 10: running the network", "following the flows", "something else"):
            on_stage(words)
    stages = {
        sample.labels["stage"]: sample.value
        for family in metrics._stages.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }
    assert set(stages) == {"waiting", "other", "running the network", "following the flows"}
    assert stages["waiting"] >= 100
    assert all(0 <= seconds < 60 for stage, seconds in stages.items() if stage != "waiting")


def test_they_are_off_unless_asked_for(engine: Engine) -> None:
    client = TestClient(make_app(Context(engine, TOKEN, lambda: None, lambda: False)), "http://127.0.0.1")
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.json()["code"]) == (404, "no_metrics")
