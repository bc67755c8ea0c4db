"""A real Chromium without a window, a real engine, and folders of simulated images to review."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from cellspan.core.results.label_files import write_labels
from cellspan.core.training.simulate import simulate_nuclei
from cellspan.core.training.simulate.volumes import simulated_volume
from tests.conftest import unavailable

# Software draws, because the machines that test have no graphics processor.
SOFTWARE = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
CLI = [sys.executable, "-m", "cellspan.core.cli"]
WAIT = 30_000  # milliseconds that a page may take on a busy machine

expect.set_options(timeout=WAIT)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or else Playwright's own."""
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        program = shutil.which("chromium") or (str(own) if own.is_file() else None)
        if program is None:
            unavailable("there is no Chromium: 'apt-get install chromium' or 'playwright install chromium'")
        sandbox = [] if os.name == "nt" or os.geteuid() else ["--no-sandbox"]  # root's Chromium has none
        browser = playwright.chromium.launch(executable_path=program, args=[*SOFTWARE, *sandbox])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all tests."""
    with chromium() as browser:
        yield browser


class Engine:
    """An engine of its own for the tests of one file, which opens folders for review."""

    def __init__(self, place: Path) -> None:
        own = {"CELLSPAN_RUNTIME_DIR": place / "run", "XDG_DATA_HOME": place / "data", "XDG_CONFIG_HOME": place}
        own["XDG_CACHE_HOME"] = place / "cache"
        self.environment = {**os.environ, **{name: str(path) for name, path in own.items()}}

    def run(self, *arguments: str) -> str:
        """What `cellspan` prints."""
        done = subprocess.run([*CLI, *arguments], env=self.environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def link(self, folder: Path, *options: str) -> str:
        """An address that opens the review of a folder once."""
        found = re.search(r"http://\S+", self.run("review", str(folder), "--no-browser", *options))
        assert found
        return found.group()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = Engine(tmp_path_factory.mktemp("engine"))
    yield engine
    engine.run("service", "stop")


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of one person; what the page logs as an error fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    context.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield context
    context.close()
    unexpected = [error for error in errors if "status of 409" not in error]
    assert not unexpected, unexpected


Opens = Callable[..., Page]


@pytest.fixture
def open_review(engine: Engine, context: BrowserContext) -> Opens:
    """Opens a folder's review in a new tab; further options are those of the command."""

    def open_it(folder: Path, *options: str) -> Page:
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.goto(engine.link(folder, *options))
        page.wait_for_selector(".card")
        return page

    return open_it


def nuclei(seed: int, side: int = 256, diameter: float = 26.0) -> tuple[np.ndarray, np.ndarray]:
    """A simulated image and its true labels."""
    field = simulate_nuclei((side, side), diameter, seed=seed)
    return field.image, np.asarray(field.labels)


def write_reviewed(folder: Path, name: str, image: np.ndarray, labels: np.ndarray | None) -> None:
    """An image, with its labels where `cellspan segment` puts them."""
    results = folder / "cellspan_results"
    results.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(folder / f"{name}.tif", image, photometric="minisblack")
    if labels is not None:
        write_labels(results / f"{name}_labels.tif", labels)


@pytest.fixture
def segmented(tmp_path: Path) -> Path:
    """Three images with true labels, so that no network has to run."""
    folder = tmp_path / "plate"
    for number in range(3):
        write_reviewed(folder, f"field_{number}", *nuclei(number))
    return folder


@pytest.fixture
def unsegmented(tmp_path: Path) -> Path:
    """Images as they come from the microscope: fields, one without cells, and one file that is no image."""
    folder = tmp_path / "new"
    folder.mkdir()
    for number in range(3):
        tifffile.imwrite(folder / f"field_{number}.tif", nuclei(number)[0], photometric="minisblack")
    empty = np.random.default_rng(0).normal(400, 5, (256, 256)).astype(np.uint16)
    tifffile.imwrite(folder / "nothing.tif", empty, photometric="minisblack")
    (folder / "broken.tif").write_bytes(b"not an image")
    return folder


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A z-stack with the true labels of its volume."""
    folder = tmp_path / "stack"
    folder.mkdir()
    image, labels = simulated_volume(1, (9, 128, 128), anisotropy=2.0, diameter=26.0)
    write_reviewed(folder, "volume", image, None)
    tifffile.imwrite(folder / "volume.tif", image, imagej=True, metadata={"axes": "ZYX"})
    write_labels(folder / "cellspan_results" / "volume_labels.tif", labels)
    return folder


class Opened:
    """The image view of a page, with what the tests do there again and again."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.stage = page.get_by_test_id("stage")

    @property
    def id(self) -> str:
        """The image's, as in the address."""
        return self.page.url.split("#/image/")[1]

    def ready(self) -> Opened:
        """Wait until everything in view is drawn."""
        self.page.wait_for_selector("[data-testid=stage][aria-busy=false] canvas[data-complete=true]")
        return self

    def api(self, path: str) -> Any:
        """What the engine tells, asked by the page itself."""
        return self.page.evaluate("async (path) => (await fetch(`api/${path}`)).json()", path)

    def outlines(self) -> dict[str, Any]:
        """The objects as the engine has them now."""
        found: dict[str, Any] = self.api(f"images/{self.id}/outlines?z=0&t=0")
        return found

    def labels(self) -> set[int]:
        return {found["label"] for found in self.outlines()["objects"]}

    def count_is(self, count: int) -> None:
        """Wait until the head says so."""
        words = "1 object" if count == 1 else f"{count} objects"
        expect(self.page.locator(".image-bar .facts")).to_contain_text(re.compile(rf"^{words}\b"))

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def on_screen(self, x: float, y: float) -> tuple[float, float]:
        """Where an image point is on the screen, after the transform that the overlay has too."""
        words = self.page.locator(".overlay > g").first.get_attribute("transform") or ""
        left, top, zoom = (float(number) for number in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", words))
        box = self.stage.bounding_box()
        assert box
        return box["x"] + left + zoom * x, box["y"] + top + zoom * y

    def click_on(self, found: dict[str, Any], **how: Any) -> None:
        """Click into an object."""
        self.page.mouse.click(*self.on_screen(*middle(found)), **how)

    def click_with_shift(self, found: dict[str, Any]) -> None:
        """Click into an object to select it too."""
        self.page.keyboard.down("Shift")
        self.click_on(found)
        self.page.keyboard.up("Shift")

    def drag(self, *points: tuple[float, float]) -> None:
        """Press at the first point of the image and release at the last."""
        on_screen = [self.on_screen(*point) for point in points]
        self.page.mouse.move(*on_screen[0])
        self.page.mouse.down()
        for point in on_screen[1:]:
            self.page.mouse.move(*point, steps=8)
        self.page.mouse.up()


def middle(found: dict[str, Any]) -> tuple[float, float]:
    """The middle of an outline's points: inside of it, for the round objects here."""
    points = np.asarray(found["polygon"]).reshape(-1, 2)
    x, y = points.mean(axis=0)
    return float(x), float(y)


@pytest.fixture
def opened(open_review: Opens, segmented: Path) -> Opened:
    """The first image of `segmented`."""
    page = open_review(segmented)
    page.locator(".card a").first.click()
    return Opened(page).ready()
