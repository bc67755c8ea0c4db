"""The picture of docs/review.md: the review page with an image that a person is correcting.

    python -m tests.docs.review_picture            takes it anew

In a real Chromium with a real engine; the images are simulated.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import tifffile
from PIL import Image
from playwright.sync_api import Page, expect

from cellspan.core.training.simulate import simulate_nuclei
from tests.review_page.browser.conftest import WAIT, Engine, Opened, chromium

PICTURE = Path(__file__).parents[2] / "docs" / "review.png"
SIDE, DIAMETER = 512, 34  # pixels
WELLS = ("B02", "B03", "B04")
SCREEN = {"width": 1440, "height": 860}
COLOURS = 256  # of the file, which is then a third as large


def take(target: Path, place: Path) -> None:
    """Segment images in `place` from the page, correct and accept, and write what is seen then."""
    images = place / "plate1"
    images.mkdir()
    for seed, well in enumerate(WELLS, 3):
        field = simulate_nuclei((SIDE, SIDE), diameter=DIAMETER, seed=seed)
        tifffile.imwrite(images / f"plate1_{well}.tif", field.image, photometric="minisblack")
    engine = Engine(place)
    try:
        with chromium() as browser:
            page = browser.new_page(viewport=SCREEN)
            page.set_default_timeout(WAIT)
            page.goto(engine.link(images, "--model", "nuclei", "--diameter", str(DIAMETER)))
            _segment(page)
            _correct(page)
            page.screenshot(path=target)
    finally:
        engine.run("service", "stop")
    with Image.open(target) as shot:
        shot.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


def _segment(page: Page) -> None:
    page.wait_for_selector(".card")
    page.keyboard.press("g")
    page.get_by_role("dialog").get_by_role("button", name="Segment", exact=True).click()
    expect(page.locator(".card .facts", has_text="objects")).to_have_count(len(WELLS), timeout=120_000)
    page.locator(".card a").first.focus()
    page.keyboard.press("a")
    expect(page.locator(".top-bar")).to_contain_text("1 accepted")


def _correct(page: Page) -> None:
    page.locator(".card a").nth(1).click()
    opened = Opened(page).ready()
    inside = [found for found in opened.outlines()["objects"] if not found["edge"]]
    opened.click_on(inside[0])
    opened.button("Delete").click()
    opened.count_is(len(opened.labels()))
    for found in inside[5:7]:
        opened.click_with_shift(found)
    expect(page.locator(".panel tbody tr")).to_have_count(2)
    page.mouse.move(0, 0)
    expect(page.locator(".notices p")).to_have_count(0)
    page.add_style_tag(content=".top-bar .folder { display: none }")  # the temporary folder says nothing
    opened.ready()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        take(PICTURE, Path(folder))
