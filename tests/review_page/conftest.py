"""A folder of images, a review of it, and its page with an engine that finds what is brighter than a threshold."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
import tifffile
from scipy import ndimage
from starlette.testclient import TestClient

from cellspan.core.service.client import Engine, EngineForgot, EngineResult, as_npy
from cellspan.review_page.page import ReviewPage

BRIGHT = 100


class FakeEngine(Engine):
    """A client that answers by itself; while its gate is closed, segmenting waits."""

    def __init__(self, interactive: bool = False) -> None:
        super().__init__([], interactive)
        self.gate = threading.Event()
        self.gate.set()
        self.networks = 0  # how often the network would have run
        self.forgets = False
        self.kept: dict[str, np.ndarray] = {}

    def connect(self, on_progress: Any = None) -> Any:
        models = {"models": [{"name": "nuclei", "objects": "nuclei", "kind": "flow-cnn"}]}
        return SimpleNamespace(json=lambda method, path: models)

    def segment(
        self, pixels: Any, parameters: Mapping[str, Any], on_progress: Any = None, *more: Any, **kept: Any
    ) -> Any:
        while not self.gate.wait(0.002):
            on_progress(0.5, "waiting")
        self.networks += 1
        job = str(self.networks)
        self.kept[job] = np.asarray(pixels)
        return self._found(job, parameters)

    def run_again(self, result: EngineResult, changes: Mapping[str, Any], *more: Any) -> Any:
        if self.forgets:
            raise EngineForgot("it is gone")
        assert result.job is not None
        found = self._found(result.job, changes)
        return found, {"objects": as_npy(found.extra["objects"])}

    def forget(self, result: EngineResult) -> None:
        self.kept.pop(str(result.job), None)

    def _found(self, job: str, parameters: Mapping[str, Any]) -> EngineResult:
        pixels = self.kept[job]
        labels, count = ndimage.label(pixels > BRIGHT + 10 * float(parameters.get("cellprob_threshold", 0)))
        extra = {
            "probability": np.where(labels > 0, 3.0, -3.0).astype(np.float32),
            "objects": np.stack([np.full(count, 3.0), np.full(count, 0.1)]).astype(np.float32),
        }
        return EngineResult(
            as_npy(labels.astype(np.int32)), count, 9.0, "nuclei", "0" * 64, "cpu", 0.1, ["a note"], extra, job
        )


def squares(*corners: tuple[int, int], shape: tuple[int, int] = (64, 72), side: int = 10) -> np.ndarray:
    """A dark picture with bright squares."""
    picture = np.full(shape, 10, np.uint8)
    for y, x in corners:
        picture[y : y + side, x : x + side] = 200
    return picture


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """Two images, of which the first has results."""
    folder = tmp_path / "plate"
    (folder / "cellspan_results").mkdir(parents=True)
    first = squares((5, 5), (30, 40))
    tifffile.imwrite(folder / "A01.tif", first)
    tifffile.imwrite(folder / "B02.tif", squares((20, 20)))
    labels = ndimage.label(first > BRIGHT)[0].astype(np.uint16)
    tifffile.imwrite(folder / "cellspan_results" / "A01_labels.tif", labels)
    return folder


@pytest.fixture
def engines() -> list[FakeEngine]:
    """The clients that the page has made: for batches, and for a person who waits."""
    return []


@pytest.fixture
def signs() -> list[None]:
    """One for each sign of life."""
    return []


@pytest.fixture
def page(engines: list[FakeEngine], signs: list[None]) -> ReviewPage:
    """The page of an engine."""

    def make(interactive: bool) -> FakeEngine:
        engines.append(FakeEngine(interactive))
        return engines[-1]

    return ReviewPage(lambda: signs.append(None), make)


Opened = Callable[..., "Tab"]


class Tab:
    """A browser's tab with the page."""

    def __init__(self, client: TestClient, base: str) -> None:
        self.client, self.base = client, base

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.client.get(self.base + "api/" + path, params=query)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        given = {"X-Cellspan": "review", **headers}
        return self.client.request(method, self.base + "api/" + path, json=body, headers=given)

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.send("POST", path, body)

    def entries(self) -> dict[str, dict[str, Any]]:
        """The list by names, once every image was read."""
        while (answer := self.get("images", since=0).json())["reading"] or answer["busy"]:
            pass
        return {entry["name"]: entry for entry in answer["images"]}

    def entry(self, name: str) -> dict[str, Any]:
        return self.entries()[name]


@pytest.fixture
def open_tab(page: ReviewPage) -> Opened:
    """open_tab(folder) opens the page in a browser of its own."""

    def open_(folder: Path, **asked: Any) -> Tab:
        client = TestClient(page.app, "http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False)
        base = client.get(page.invite({"folder": str(folder), **asked})).headers["location"]
        return Tab(client, base)

    return open_


@pytest.fixture
def tab(open_tab: Opened, plate: Path) -> Tab:
    """The page for the plate."""
    return open_tab(plate)


def ids_of(tab: Tab, names: Sequence[str]) -> list[str]:
    """The ids of images."""
    return [tab.entry(name)["id"] for name in names]
