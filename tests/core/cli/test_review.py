"""`cellspan review`: a link that opens the page of the running engine, and the whole way of a person through it."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import tifffile

from cellspan.core.training.simulate import simulate_nuclei

pytestmark = pytest.mark.end_to_end
FAST = 0.2  # seconds for outlines that follow a slider; more is allowed here, because tests share the processor


class Browser:
    """As little of a browser as the page needs."""

    def __init__(self, link: str) -> None:
        parts = urlsplit(link)
        self.connection = http.client.HTTPConnection(str(parts.hostname), parts.port or 80, timeout=120)
        self.cookie = ""
        answer, _ = self.ask("GET", f"{parts.path}?{parts.query}")
        assert answer.status == 303
        self.base = str(answer.getheader("location"))
        self.cookie = str(answer.getheader("set-cookie")).partition(";")[0]

    def ask(self, method: str, path: str, body: Any = None) -> tuple[http.client.HTTPResponse, bytes]:
        headers = {"Cookie": self.cookie, "X-Cellspan": "review", "Content-Type": "application/json"}
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.connection.getresponse()
        return answer, answer.read()

    def __call__(self, method: str, path: str, **body: Any) -> Any:
        answer, content = self.ask(method, f"{self.base}api/{path}", body or None)
        found = json.loads(content)
        assert answer.status < 300, found
        return found

    def entries(self) -> dict[str, Any]:
        """The list, once nothing is under way."""
        end = time.monotonic() + 200
        while (answer := self("GET", "images"))["busy"] or answer["reading"]:
            assert time.monotonic() < end
            time.sleep(0.05)
        return {entry["name"]: entry for entry in answer["images"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images of simulated nuclei."""
    images = tmp_path / "plate"
    images.mkdir()
    for name, seed, side in (("A01", 1, 512), ("B02", 2, 160)):
        tifffile.imwrite(images / f"{name}.tif", simulate_nuclei((side, side), diameter=24, seed=seed).image)
    return images


@pytest.fixture
def review(cellspan: Callable, engine_home: Path) -> Iterator[Callable[..., Browser]]:
    """review(folder, ...) runs the command and opens its link."""
    browsers = []

    def open_(*arguments: object) -> Browser:
        said = cellspan("review", *arguments, "--no-browser").stdout
        found = re.search(r"http://127\.0\.0\.1:\d+/review/open\?key=\S+", said)
        assert found, said
        browsers.append(Browser(found[0]))
        return browsers[-1]

    yield open_
    for browser in browsers:
        browser.connection.close()


def test_the_whole_way(folder: Path, review: Callable[..., Browser], cellspan: Callable) -> None:
    cellspan("segment", folder / "A01.tif", "-o", folder / "cellspan_results", "--model", "nuclei", "--diameter", 24)
    page = review(folder)
    about = page("GET", "session")
    assert (about["model"], about["parameters"]["diameter"]) == ("nuclei", 24.0)
    assert {"nuclei", "cyto"} <= {model["name"] for model in about["models"]}

    first = page.entries()["A01.tif"]
    labels = tifffile.imread(folder / "cellspan_results" / "A01_labels.tif")
    assert (first["state"], first["count"]) == ("done", labels.max())
    page("POST", "segment", ids="none yet", parameters={})
    assert page.entries()["B02.tif"]["count"] > 3

    # Other thresholds give what a new run gives, bit for bit.
    name = first["id"]
    page("POST", f"images/{name}/again", revision=first["revision"], parameters={})
    started = time.perf_counter()
    found = page("POST", f"images/{name}/again", revision=1, parameters={"cellprob_threshold": 2.0, "min_size": 200})
    assert time.perf_counter() - started < 10 * FAST
    options = ("--model", "nuclei", "--diameter", 24, "--cellprob-threshold", 2, "--min-size", 200)
    cellspan("segment", folder / "A01.tif", "-o", folder.parent / "again", *options, "--save", "labels")
    page("POST", "save", kinds=["labels"], ids=[name])
    reviewed = folder / "cellspan_results" / "reviewed" / "A01_labels.tif"
    np.testing.assert_array_equal(
        tifffile.imread(reviewed), tifffile.imread(folder.parent / "again" / "A01_labels.tif")
    )

    number = found["objects"][0]["label"]
    deleted = page("POST", f"images/{name}/edit", revision=2, edit={"kind": "delete", "labels": [number]})
    assert deleted["count"] == found["count"] - 1

    # A killed engine loses nothing.
    cellspan("service", "stop", "--force")
    again = review(folder)
    assert again.entries()["A01.tif"]["count"] == deleted["count"]
    assert again("POST", f"images/{name}/undo", revision=3)["count"] == found["count"]


def test_a_results_folder(folder: Path, review: Callable[..., Browser], cellspan: Callable) -> None:
    cellspan("segment", folder, "-o", folder.parent / "results", "--model", "nuclei", "--save", "labels,table")
    entries = review(folder.parent / "results").entries()
    assert {name: entry["state"] for name, entry in entries.items()} == {"A01.tif": "done", "B02.tif": "done"}


def test_an_open_tab_keeps_the_engine(folder: Path, engine_home: Path, cellspan: Callable, review: Callable) -> None:
    command = [sys.executable, "-m", "cellspan.core.cli", "serve", "--idle-minutes", "0.05"]
    engine = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while "running" not in cellspan("service", "status").stdout:
            assert engine.poll() is None
        page = review(folder)
        end = time.monotonic() + 7
        while time.monotonic() < end:
            page("GET", "images")
            time.sleep(0.5)
        assert engine.poll() is None
        assert engine.wait(30) == 0  # the tab is closed
    finally:
        engine.kill()
        engine.wait()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none"], "none: there is no such folder"),
        (["."], "no images were found"),
        ([".", "--diameter", "-2"], "diameter"),
    ],
)
def test_what_is_refused(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    cellspan: Callable,
    engine_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    done = cellspan("review", *arguments, "--no-browser", check=False)
    assert done.returncode == 2
    assert words in done.stderr
