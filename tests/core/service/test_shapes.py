"""The models of the answers are the answers: what the engine sends fits them, and nothing is left out."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from starlette.testclient import TestClient

from cellspan.core.service.errors import unknown_job
from cellspan.core.service.shapes import Health, JobState, ModelList, Problem

from .conftest import Post
from .fakes import FakeSegmenter

pytestmark = pytest.mark.quick


def same(shape: type[BaseModel], answer: dict[str, Any]) -> None:
    """The answer has the entries of its model, no more and no fewer."""
    found = shape.model_validate(answer).model_dump(exclude_unset=True)
    assert found == answer
    assert set(answer) <= set(shape.model_fields)


def test_health_models_and_problems(http: TestClient) -> None:
    same(Health, http.get("/v1/health").json())
    same(ModelList, http.get("/v1/models").json())
    same(Problem, http.get("/v1/jobs/none").json())
    same(Problem, unknown_job("x").as_json())


def test_a_job_that_is_done_and_one_that_failed(http: TestClient, post: Post, segmenter: FakeSegmenter) -> None:
    done = post().json()
    same(JobState, http.get(f"/v1/jobs/{done['id']}?wait=20").json())
    segmenter.fault = ValueError("broken")
    failed = http.get(f"/v1/jobs/{post().json()['id']}?wait=20").json()
    same(JobState, failed)
    assert failed["error"]["code"]


def test_a_state_that_no_client_knows_is_not_sent() -> None:
    with pytest.raises(ValidationError):
        JobState(id="1", state="resting", progress=0, message="")  # type: ignore[arg-type]
