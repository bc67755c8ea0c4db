"""Every answer from status 400 on has one form."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from cellspan.core.service.engine import Engine
from cellspan.core.service.shapes import Problem

from .conftest import Post

pytestmark = pytest.mark.quick


def checked(answer: Any) -> Problem:
    """The problem of an answer, if it is one and nothing else."""
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"code", "sentence", "fields"}
    problem = Problem.model_validate(answer.json())
    assert problem.sentence.endswith(".")
    assert problem.code
    return problem


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/v1/health/", 404, "not_found"),
        ("GET", "/v1/jobs/no-such-job", 404, "unknown_job"),
        ("DELETE", "/v1/jobs/no-such-job", 404, "unknown_job"),
        ("GET", "/v1/jobs/no-such-job/labels", 404, "unknown_job"),
        ("POST", "/v1/jobs/no-such-job/again", 404, "unknown_job"),
        ("PUT", "/v1/jobs", 405, "method_not_allowed"),
        ("POST", "/v1/health", 405, "method_not_allowed"),
        ("GET", "/v1/stop", 405, "method_not_allowed"),
        ("GET", f"/v1/jobs/{'x' * 65}", 400, "refused"),
        ("GET", "/v1/jobs/x?wait=long", 400, "refused"),
        ("GET", "/v1/jobs/x?wait=-1", 400, "refused"),
        ("GET", "/v1/jobs/x?wait=nan", 400, "refused"),
        ("GET", "/v1/hello", 400, "refused"),
        ("POST", "/v1/jobs?diametre=3", 400, "refused"),
        ("POST", "/v1/jobs?diameter=-3", 400, "refused"),
        ("POST", "/v1/jobs?model=%00", 400, "refused"),
        ("POST", "/v1/jobs?device=toaster", 400, "refused"),
    ],
)
def test_all_mistakes_have_one_form(http: TestClient, method: str, path: str, status: int, code: str) -> None:
    answer = http.request(method, path, headers={"Content-Type": "application/x-npy"})
    assert (answer.status_code, checked(answer).code) == (status, code)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/jobs/x", "DELETE, GET"),
        ("/v1/jobs/x/again", "POST"),
        ("/v1/jobs", "POST"),
        ("/v1/health", "GET"),
    ],
)
def test_405_names_all_methods_of_the_address(http: TestClient, path: str, methods: str) -> None:
    answer = http.put(path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, methods)


def test_a_wrong_value_is_named_and_a_long_one_is_cut(http: TestClient) -> None:
    problem = checked(http.get("/v1/jobs/x", params={"wait": "x" * 5000}))
    assert problem.fields == {"name": "wait"}
    assert problem.sentence.startswith("wait = 'xxx")
    assert len(problem.sentence) < 400


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Cellspan-Lease", "0"),
        ("Cellspan-Lease", "nan"),
        ("Cellspan-Lease", "inf"),
        ("Cellspan-Interactive", "perhaps"),
        ("Cellspan-Client", "x" * 256),
        ("Idempotency-Key", "x" * 256),
        ("Idempotency-Key", ""),
    ],
)
def test_impossible_headers_are_refused(post: Post, header: str, value: str) -> None:
    answer = post(**{header: value})
    assert answer.status_code == 400
    assert header.lower() in checked(answer).sentence.lower()


def test_an_internal_error_tells_no_details(http: TestClient, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("/home/somebody/secret")

    monkeypatch.setattr(engine.jobs, "count", broken)
    answer = http.get("/v1/health")
    assert (answer.status_code, checked(answer).code) == (500, "internal")
    assert "secret" not in answer.text


def test_full_memory_asks_to_come_again(http: TestClient, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(engine.jobs, "count", full)
    answer = http.get("/v1/health")
    assert (answer.status_code, checked(answer).code) == (503, "memory")
    assert answer.headers["Retry-After"]
