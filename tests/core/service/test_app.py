"""The application: its routes, all behind the guard, and the errors of its framework as those of the engine."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from starlette.testclient import TestClient

from cellspan.core.service.app import make_app
from cellspan.core.service.engine import Engine
from cellspan.core.service.routes import Context

from .fakes import TOKEN

pytestmark = pytest.mark.quick


def test_all_addresses_ask_for_the_token(http: TestClient) -> None:
    for path in ("/v1/health", "/v1/models", "/v1/jobs/1", "/metrics", "/openapi.json"):
        assert http.get(path, headers={"Authorization": "Bearer wrong"}).status_code == 401, path
        assert http.get(path).status_code in (200, 404), path


def test_it_says_what_it_is(http: TestClient) -> None:
    about = http.get("/openapi.json").json()["info"]
    assert (about["title"], about["version"]) == ("cellspan engine", version("cellspan"))


def test_there_are_no_pages_and_no_redirects(http: TestClient) -> None:
    for path in ("/docs", "/redoc", "/v1/health/"):
        answer = http.get(path, follow_redirects=False)
        assert answer.status_code == 404
        assert set(answer.json()) == {"code", "sentence", "fields"}


def test_names_by_which_it_may_be_called(engine: Engine) -> None:
    context = Context(engine, TOKEN, lambda: None, lambda: False)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for hosts, status in ((("lab.example",), 200), (("127.0.0.1",), 403), (None, 200)):
        with TestClient(make_app(context, hosts), "http://lab.example", headers=headers) as client:
            assert client.get("/v1/health").status_code == status
