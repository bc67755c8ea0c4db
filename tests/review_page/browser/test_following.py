"""Outlines follow the sliders, and corrections by hand are not replaced without a question."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from playwright.sync_api import Page, expect

from cellspan.core.results.label_files import write_labels
from tests.review_page.browser.conftest import Opened, Opens, nuclei

pytestmark = pytest.mark.end_to_end
SIDE = 1024


@pytest.fixture
def large(open_review: Opens, tmp_path: Path) -> Opened:
    """An image of 1024 x 1024 that was segmented on the page."""
    tifffile.imwrite(tmp_path / "large.tif", nuclei(4, SIDE, 30.0)[0], photometric="minisblack")
    page = open_review(tmp_path, "--model", "nuclei", "--diameter", "30")
    page.locator(".card a").click()
    opened = Opened(page).ready()
    page.keyboard.press("g")
    expect(page.locator(".image-bar .facts")).to_contain_text(re.compile(r"\d+ objects"), timeout=120_000)
    expect(opened.stage).to_have_attribute("aria-label", re.compile(r", [1-9]\d* objects in this plane"))
    return opened


def objects(page: Page) -> int:
    found = re.match(r"(\d+) object", page.locator(".image-bar .facts").inner_text())
    assert found
    return int(found.group(1))


def test_outlines_follow_the_slider(large: Opened) -> None:
    page, before = large.page, objects(large.page)
    seconds = [move_slider(page, "min_size", str(size)) for size in (20, 300, 400, 500, 600, 700)]
    print(f"slider to outlines on {SIDE} x {SIDE} with {before} objects: {[round(1000 * t) for t in seconds]} ms")
    assert objects(page) < before
    large.button("Undo").click()
    large.count_is(before)


# From the event of the slider until the head of the page has the answer's revision.
MOVE = """([slider, value]) => new Promise((resolve) => {
  const begin = performance.now();
  const asking = window.fetch;
  window.fetch = async (...given) => {
    const response = await asking(...given);
    if (String(given[0]).endsWith('/again'))
      response.clone().json().then(() => requestAnimationFrame(() => {
        window.fetch = asking;
        resolve((performance.now() - begin) / 1000);
      }));
    return response;
  };
  slider.value = value;
  slider.dispatchEvent(new Event('input', { bubbles: true }));
})"""
LABELS = {"min_size": re.compile("min.*size", re.I)}


def move_slider(page: Page, name: str, value: str) -> float:
    slider = page.locator(".panel").get_by_role("slider", name=LABELS[name])
    found: float = page.evaluate(MOVE, [slider.element_handle(), value])
    return found


def test_corrections_are_replaced_only_if_the_person_says_so(large: Opened) -> None:
    page, before = large.page, objects(large.page)
    page.keyboard.press(".")
    page.keyboard.press("Delete")
    large.count_is(before - 1)
    corrected = large.labels()
    slider = page.locator(".panel").get_by_role("slider", name=re.compile("cell.*prob", re.I))
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("Replace your corrections?")).to_be_visible()
    page.keyboard.press(".")
    page.keyboard.press("Delete")
    expect(page.locator(".notices .refused")).to_contain_text("This is a preview.")
    assert large.labels() == corrected, "objects of the preview are not those that are kept"
    page.get_by_role("button", name="Keep my corrections").click()
    expect(page.get_by_text("Replace your corrections?")).to_have_count(0)
    assert large.labels() == corrected
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Replace", exact=True).click()
    expect(page.get_by_text("Replace your corrections?")).to_have_count(0)
    expect(page.locator(".image-bar .facts")).not_to_contain_text("corrected")
    large.button("Undo").click()
    large.count_is(before - 1)
    assert large.labels() == corrected


def test_a_stack_is_segmented_anew(open_review: Opens, stack: Path) -> None:
    """Its settings do not show at once; the page says what to do, and that corrections come back."""
    page = open_review(stack, "--model", "nuclei", "--diameter", "26")
    page.locator(".card a").first.click()
    opened = Opened(page).ready()
    before = objects(page)
    page.keyboard.press(".")
    page.keyboard.press("Delete")
    opened.count_is(before - 1)
    page.locator(".panel").get_by_role("slider", name=LABELS["min_size"]).fill("60")
    hint = page.locator(".hint")
    expect(hint).to_contain_text('shows after "Find objects again". It replaces your corrections')
    opened.button("Find objects again").click()
    expect(page.locator(".image-bar .facts")).not_to_contain_text("corrected", timeout=120_000)
    expect(hint).to_have_count(0)
    assert opened.api(f"images/{opened.id}")["parameters"]["min_size"] == 60
    opened.ready().button("Undo").click()
    opened.count_is(before - 1)


@pytest.mark.parametrize("takes", [True, False])
def test_new_results_of_a_run_are_told(opened: Opened, segmented: Path, takes: bool) -> None:
    page, before = opened.page, objects(opened.page)
    page.keyboard.press(".")
    page.keyboard.press("Delete")
    opened.count_is(before - 1)
    write_labels(segmented / "cellspan_results" / "field_0_labels.tif", np.eye(256, dtype=np.int32))
    question = page.get_by_role("alert").filter(has_text="A run has written new results")
    expect(question).to_be_visible()
    question.get_by_role("button", name="Take the new results" if takes else "Keep my version").click()
    expect(question).to_have_count(0)
    opened.count_is(1 if takes else before - 1)
    if takes:
        opened.button("Undo").click()
        opened.count_is(before - 1)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_the_diameter_follows_when_the_slider_rests(large: Opened) -> None:
    page = large.page
    field = page.locator(".panel").get_by_label(re.compile(r"^Diameter.*, number$"))
    field.fill("60")
    field.press("Enter")
    page.wait_for_function(
        "async (id) => (await (await fetch(`api/images/${id}`)).json()).parameters.diameter === 60",
        arg=large.id,
        timeout=60_000,
    )


def test_a_number_that_is_none_is_not_taken(large: Opened) -> None:
    field = large.page.locator(".panel").get_by_label("Flow threshold, number")
    before = field.input_value()
    field.fill("much")
    field.press("Enter")
    expect(field).to_have_value(before)
