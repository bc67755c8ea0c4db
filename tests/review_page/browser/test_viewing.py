"""Looking at an image: zoom, pan, contrast, colour, outlines, fill, stacks, from image to image; verdicts."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from playwright.sync_api import expect

from tests.review_page.browser.conftest import Opened, Opens, middle

pytestmark = pytest.mark.end_to_end


def pixels(opened: Opened) -> np.ndarray:
    """What is on the screen, (Y, X, 3), after two frames."""
    opened.ready()
    opened.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    picture = Image.open(io.BytesIO(opened.stage.screenshot()))
    return np.asarray(picture.convert("RGB")).astype(int)


def zoom(opened: Opened) -> float:
    return float(opened.page.locator(".readout span").first.inner_text().removesuffix("%"))


def test_zoom_and_pan_by_mouse(opened: Opened) -> None:
    fits = zoom(opened)
    box = opened.stage.bounding_box()
    assert box
    at = box["x"] + 300, box["y"] + 200
    opened.page.mouse.move(*at)
    where = opened.on_screen(0, 0)
    opened.page.mouse.wheel(0, -400)
    opened.page.wait_for_timeout(300)
    assert zoom(opened) > 1.3 * fits
    now = opened.on_screen(0, 0)
    factor = zoom(opened) / fits
    assert now[0] - at[0] == pytest.approx(factor * (where[0] - at[0]), abs=3), "the point under the mouse stays"
    opened.page.mouse.down()
    opened.page.mouse.move(at[0] + 90, at[1] - 40, steps=5)
    opened.page.mouse.up()
    assert opened.on_screen(0, 0) == pytest.approx((now[0] + 90, now[1] - 40), abs=1)
    opened.button("Whole image").click()
    assert zoom(opened) == fits
    opened.button("100 %").click()
    assert zoom(opened) == 100


def test_zoom_and_pan_by_keyboard(opened: Opened) -> None:
    fits, keys = zoom(opened), opened.page.keyboard
    keys.press("+")
    assert zoom(opened) == pytest.approx(1.5 * fits, rel=0.01)
    before = opened.on_screen(0, 0)
    keys.press("ArrowRight")
    keys.press("ArrowDown")
    assert opened.on_screen(0, 0) == pytest.approx((before[0] - 60, before[1] - 60), abs=1)
    keys.press("-")
    assert zoom(opened) == pytest.approx(fits, rel=0.01)
    keys.press("1")
    assert zoom(opened) == 100
    keys.press("0")
    assert zoom(opened) == fits


def test_what_moves_is_what_would_be_drawn_there(opened: Opened) -> None:
    """By small and large moves to all sides; to show the outlines off and on again draws everything."""
    page = opened.page
    for _ in range(4):
        page.keyboard.press("+")
    for moves in ("ArrowRight", "ArrowUp " * 3, "ArrowLeft " * 7, "Shift+ArrowDown", "Shift+ArrowRight " * 3):
        for key in moves.split():
            page.keyboard.press(key)
            page.wait_for_timeout(30)
        moved = pixels(opened)
        for _ in range(3):
            page.keyboard.press("o")
            page.wait_for_timeout(30)
        assert np.array_equal(moved, pixels(opened)), f"after {moves}"
    assert moved.max() > 100


def test_pictures_in_colours_are_shown_as_they_are(open_review: Opens, tmp_path: Path) -> None:
    y, x = np.mgrid[:60, :80]
    given = np.stack([3 * x, 4 * y, np.full_like(x, 90)], axis=-1).astype(np.uint8)
    Image.fromarray(given).save(tmp_path / "stained.png")
    page = open_review(tmp_path)
    page.locator(".card a").click()
    opened = Opened(page).ready()
    page.keyboard.press("1")
    for name in ("Red", "Green", "Blue"):
        expect(page.get_by_role("group", name=name)).to_be_visible()
    box = opened.stage.bounding_box()
    assert box
    left, top = (round(a - b) for a, b in zip(opened.on_screen(0, 0), (box["x"], box["y"]), strict=True))
    shown = pixels(opened)[top : top + 60, left : left + 80]
    assert np.abs(shown - given).max() <= 1
    page.get_by_role("group", name="Red").get_by_label("Show").uncheck()
    assert pixels(opened)[top : top + 60, left : left + 80, 0].max() == 0


def test_the_picture_has_the_grey_values_of_the_image(opened: Opened) -> None:
    """Against the file itself: bright where the image is bright, scaled as the sliders say."""
    opened.page.keyboard.press("1")
    opened.button("Off").click()
    details = opened.api(f"images/{opened.id}")
    image = tifffile.imread(details["path"]).astype(float)
    low, high = (details["channelRanges"][0][name] for name in ("low", "high"))
    expected = np.clip((image - low) / (high - low), 0, 1) * 255
    shown = pixels(opened)[..., 0]
    box = opened.stage.bounding_box()
    assert box
    x, y = (round(a - b) for a, b in zip(opened.on_screen(0, 0), (box["x"], box["y"]), strict=True))
    difference = np.abs(shown[y : y + image.shape[0], x : x + image.shape[1]] - expected)
    assert np.median(difference) <= 1.5
    assert np.mean(difference <= 4) > 0.98


def test_contrast_and_colour(opened: Opened) -> None:
    opened.button("Off").click()
    grey = pixels(opened)
    assert np.abs(grey[..., 0] - grey[..., 2]).max() <= 40  # only the line of words on it is not grey
    opened.page.get_by_label("Colour").fill("#00ff00")
    green = pixels(opened)
    assert green[..., 1].sum() > 5 * green[..., 0].sum()
    white = opened.page.get_by_label("White at, number")
    white.fill(str(float(white.input_value()) / 2))
    white.press("Enter")
    assert pixels(opened)[..., 1].sum() > 1.3 * green[..., 1].sum()
    opened.page.get_by_label("White at", exact=True).focus()
    opened.page.keyboard.press("Home")
    opened.page.get_by_role("button", name="Automatic contrast").click()
    assert pixels(opened)[..., 1].sum() == pytest.approx(green[..., 1].sum(), rel=0.02)
    opened.page.get_by_label("Show", exact=True).uncheck()
    assert pixels(opened)[..., 1].sum() < 0.2 * green[..., 1].sum()


def test_outlines_fill_off_by_mouse_and_keyboard(opened: Opened) -> None:
    def colourful() -> int:
        shown = pixels(opened)
        return int(np.sum(shown.max(axis=2) - shown.min(axis=2) > 60))

    outlines = colourful()
    opened.button("Fill").click()
    fill = colourful()
    opened.button("Off").click()
    off = colourful()
    assert off < 0.05 * outlines < outlines < fill
    opened.page.keyboard.press("o")
    assert colourful() == pytest.approx(outlines, rel=0.02)
    opened.page.keyboard.press("o")
    assert colourful() == pytest.approx(fill, rel=0.02)


def test_next_previous_and_verdicts(opened: Opened) -> None:
    heading = opened.page.get_by_role("heading", level=1)
    keys = opened.page.keyboard
    expect(heading).to_have_text("field_0.tif")
    keys.press("n")
    expect(heading).to_have_text("field_1.tif")
    opened.button("Previous").click()
    expect(heading).to_have_text("field_0.tif")
    expect(opened.button("Previous")).to_be_disabled()
    opened.ready()
    keys.press("a")
    expect(heading).to_have_text("field_1.tif")
    opened.ready()
    opened.button("Reject").click()
    expect(heading).to_have_text("field_2.tif")
    expect(opened.page.locator(".top-bar")).to_contain_text("1 accepted, 1 rejected, 1 to judge")
    keys.press("p")
    expect(opened.page.locator(".image-bar .verdict")).to_have_text("Rejected")
    opened.ready()
    keys.press("r")
    expect(opened.page.locator(".image-bar .verdict")).to_have_text("Not judged")


def test_objects_of_a_stack_keep_their_colour(open_review: Opens, stack: Path) -> None:
    page = open_review(stack)
    page.locator(".card a").first.click()
    opened = Opened(page).ready()
    slider = page.get_by_label("Slice", exact=True)
    assert slider.input_value() == "4"
    page.keyboard.press("PageUp")
    expect(slider).to_have_value("5")
    page.keyboard.press("[")
    page.keyboard.press("[")
    expect(slider).to_have_value("3")
    slider.focus()
    page.keyboard.press("End")
    expect(slider).to_have_value("8")
    slider.fill("4")
    planes = [opened.api(f"images/{opened.id}/outlines?z={z}&t=0")["objects"] for z in (3, 4, 5)]
    colors = [{found["label"]: found["color"] for found in plane} for plane in planes]
    shared = set(colors[0]) & set(colors[1]) & set(colors[2])
    assert shared
    assert all(colors[0][label] == colors[1][label] == colors[2][label] for label in shared)
    found = max((one for one in planes[1] if one["label"] in shared), key=lambda one: one["area"])
    opened.ready().click_on(found)
    expect(page.locator(".panel tbody th")).to_have_text(re.compile(rf"{found['label']}\b"))
    assert middle(found)


def test_the_list_of_keys(opened: Opened) -> None:
    opened.page.keyboard.press("?")
    dialog = opened.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Split the selected object along a line")
    opened.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    opened.button("Keys").click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
