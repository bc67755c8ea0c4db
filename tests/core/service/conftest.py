"""An engine whose images are segmented by a fake, and its application in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.testclient import TestClient

from cellspan.core.service.app import make_app
from cellspan.core.service.client import NPY, as_npy
from cellspan.core.service.engine import Engine
from cellspan.core.service.routes import Context

from .fakes import LONG, TOKEN, FakeModels, FakeSegmenter, spots

Post = Callable[..., httpx.Response]


@pytest.fixture
def segmenter() -> FakeSegmenter:
    """What the engine of the test uses; close its gate to let it wait."""
    return FakeSegmenter()


@pytest.fixture
def engine(segmenter: FakeSegmenter, tmp_path: Any) -> Iterator[Engine]:
    """An engine with the fake; its threads end with the test."""
    engine = Engine(FakeModels(segmenter), max_upload=1 << 20, marks=tmp_path / "marks")
    yield engine
    segmenter.gate.set()
    engine.stop()
    engine.hand_back()
    assert engine.join(LONG)


@pytest.fixture
def stops() -> list[bool]:
    """One entry for each time that the engine was asked to stop."""
    return []


@pytest.fixture(scope="session")
def one_app() -> Any:
    """The application that all tests share, because its first answer takes 50 ms; each gives it an engine."""
    nobody: Any = None
    return make_app(Context(nobody, TOKEN, lambda: None, lambda: False))


@pytest.fixture
def http(one_app: Any, engine: Engine, stops: list[bool]) -> Iterator[TestClient]:
    """A client that has the token and calls the engine by its address."""
    context = Context(engine, TOKEN, lambda: stops.append(True), lambda: engine.outdated, metrics=True)
    one_app._app.state.context = context
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with TestClient(one_app, "http://127.0.0.1", headers=headers, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def post(http: TestClient) -> Post:
    """post(image, "min_size=3", **headers) sends an image; underscores of headers are hyphens."""

    def send(image: Any = None, query: str = "min_size=0", **headers: str) -> httpx.Response:
        body = as_npy(spots((3, 3)) if image is None else np.asarray(image))
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return http.post(f"/v1/jobs?{query}", content=body, headers={"Content-Type": NPY, **names})

    return send


@pytest.fixture(autouse=True)
def suspects_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of how long they wait say so."""
    for name in ("HOLD", "PATIENCE"):
        monkeypatch.setattr(f"cellspan.core.service.waiting.{name}", 0.0)
