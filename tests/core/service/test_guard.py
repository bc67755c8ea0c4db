"""Who may talk to the engine."""

from __future__ import annotations

import hmac

import pytest
from starlette.testclient import TestClient

from cellspan.core.service.app import make_app
from cellspan.core.service.client import CHALLENGE_PREFIX
from cellspan.core.service.engine import Engine
from cellspan.core.service.routes import Context

from .conftest import Post
from .fakes import TOKEN

pytestmark = pytest.mark.quick
PATHS = ["/v1/health", "/v1/models", "/v1/jobs/1", "/openapi.json", "/metrics", "/nothing", "/v1/hello/", "//v1/hello"]


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer{TOKEN}", "Bearer \xe9"],
)
def test_without_the_token_there_is_no_answer(http: TestClient, given: str) -> None:
    for path in PATHS:
        answer = http.get(f"http://127.0.0.1{path}", headers={"Authorization": given.encode("latin-1")})
        assert answer.status_code == 401, path
        assert answer.json() == {"code": "no_token", "sentence": "A valid token is needed.", "fields": {}}
        assert answer.headers["WWW-Authenticate"].lower().startswith("bearer")


def test_bearer_has_any_case(http: TestClient) -> None:
    for scheme in ("Bearer", "bearer", "BEARER", "bEaReR", "Bearer "):
        assert http.get("/v1/health", headers={"Authorization": f"{scheme} {TOKEN}"}).status_code == 200, scheme


def test_a_host_that_means_this_computer_is_let_in(http: TestClient) -> None:
    for host in ("127.0.0.1", "localhost", "LOCALHOST:80", "[::1]:9", "127.0.0.1:1234"):
        assert http.get("/v1/health", headers={"Host": host}).status_code == 200, host


@pytest.mark.parametrize("path", ["/v1/health", "/v1/hello?challenge=" + "0" * 32])
def test_another_host_is_refused_with_and_without_a_token(http: TestClient, path: str) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "", "localhost.evil", "[::2]", "[::1", "[::1]x", "1"):
        answer = http.get(path, headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (403, "wrong_host"), host


def test_an_engine_for_other_computers_is_called_by_any_name(engine: Engine) -> None:
    app = make_app(Context(engine, TOKEN, lambda: None, lambda: False), None)
    client = TestClient(app, "http://microscope.example")
    assert client.get("/v1/health", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert client.get("/v1/health").status_code == 401


@pytest.mark.parametrize("path", ["/v1/health", "/openapi.json"])
def test_head_is_get_without_its_body(http: TestClient, path: str) -> None:
    head, get = http.head(path), http.get(path)
    assert head.status_code == get.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"]
    assert http.head("/nothing").status_code == 404


def test_head_of_labels_does_not_count_as_having_had_them(http: TestClient, post: Post, engine: Engine) -> None:
    path = f"/v1/jobs/{post().json()['id']}"
    assert http.get(f"{path}?wait=20").json()["state"] == "done"
    assert http.head(f"{path}/labels").status_code == 200
    (job,) = engine.jobs.all()
    assert not job.fetched
    http.get(f"{path}/labels")
    assert job.fetched


def test_hello_proves_that_the_engine_knows_the_token_and_asks_for_none(engine: Engine) -> None:
    client = TestClient(make_app(Context(engine, TOKEN, lambda: None, lambda: False)), "http://127.0.0.1")
    challenge = "0123456789abcdef" * 4
    answer = client.get(f"/v1/hello?challenge={challenge}")
    assert answer.status_code == 200
    expected = hmac.new(TOKEN.encode(), (CHALLENGE_PREFIX + challenge).encode(), "sha256").hexdigest()
    assert answer.json() == {"proof": expected}
    assert TOKEN not in answer.text


@pytest.mark.parametrize("challenge", ["", "short", "g" * 64, "A" * 64, "0" * 200, "0" * 32 + "\n"])
def test_hello_signs_nothing_but_challenges(http: TestClient, challenge: str) -> None:
    answer = http.get("/v1/hello", params={"challenge": challenge})
    assert (answer.status_code, answer.json()["code"]) == (400, "refused")
