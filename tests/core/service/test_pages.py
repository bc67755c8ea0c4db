"""Pages that stand above core: found by their names, imported when they are asked for, and behind no token."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from cellspan.core.errors import CellspanError
from cellspan.core.service.app import make_app
from cellspan.core.service.engine import Engine
from cellspan.core.service.errors import Refusal
from cellspan.core.service.pages import Pages
from cellspan.core.service.routes import Context

from .fakes import TOKEN

pytestmark = pytest.mark.quick
MADE: list[Any] = []


class FakePage:
    """Says hello to everybody."""

    def __init__(self, alive: Any) -> None:
        MADE.append(self)
        self.alive = alive
        self.app = PlainTextResponse("hello")

    def invite(self, asked: Any) -> str:
        if asked["folder"] == "bad":
            raise CellspanError("bad: there is no such folder.")
        return f"/hello/open?{asked['folder']}"


@pytest.fixture
def pages() -> Pages:
    MADE.clear()
    return Pages(lambda: None, {"hello": EntryPoint("hello", f"{__name__}:FakePage", "cellspan.pages")})


def test_a_page_is_made_once(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EntryPoint, "load", lambda entry: FakePage)
    assert not MADE
    assert pages.invite("hello", {"folder": "a"}) == pages.invite("hello", {"folder": "a"}) == "/hello/open?a"
    assert len(MADE) == 1
    assert pages.app_at("/hello/x") is MADE[0].app
    assert pages.app_at("/v1/health") is None
    assert pages.app_at("/hello") is None
    assert pages.app_at("/") is None


def test_a_page_that_is_not_installed(pages: Pages) -> None:
    with pytest.raises(Refusal, match="review page is missing"):
        pages.invite("review", {})


def test_before_anybody_was_invited(http: TestClient) -> None:
    for path in ("/review/", "/review/open?key=1", "/review/x/api/session"):
        answer = http.get(path, headers={"Authorization": ""})
        assert (answer.status_code, answer.json()["code"]) == (403, "no_session")
        assert http.get(path, headers={"Host": "evil.example"}).json()["code"] == "wrong_host"


def test_the_page_is_asked_for_with_the_token(http: TestClient, one_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_app._app.state, "pages", Pages(lambda: None, {}))
    asked = {"folder": "/somewhere"}
    assert http.post("/v1/reviews", json=asked, headers={"Authorization": "Bearer no"}).status_code == 401
    assert http.post("/v1/reviews", json=asked).json()["code"] == "no_page"
    assert http.post("/v1/reviews", json={}).status_code == 400


def test_on_an_engine_for_others_there_are_no_pages(engine: Engine) -> None:
    app = make_app(Context(engine, TOKEN, lambda: None, lambda: False), None)
    with TestClient(app, "http://lab.example", headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        answer = client.post("/v1/reviews", json={"folder": "/somewhere"})
        assert (answer.status_code, answer.json()["code"]) == (403, "not_local")
        assert client.get("/review/", headers={"Authorization": ""}).status_code == 401


def test_a_page_keeps_the_engine(engine: Engine) -> None:
    engine.last_activity = 0.0
    engine.touch()
    assert engine.last_activity > 0
