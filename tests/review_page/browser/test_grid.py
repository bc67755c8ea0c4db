"""The grid: segmenting a folder, counts and flags, filters, sorting, verdicts, and thousands of images."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
from playwright.sync_api import Page, expect

from tests.review_page.browser.conftest import Opens, nuclei, write_reviewed

pytestmark = pytest.mark.end_to_end


def names(page: Page) -> list[str]:
    return page.locator(".card .name").all_inner_texts()


def test_images_without_results_are_segmented(open_review: Opens, unsegmented: Path) -> None:
    page = open_review(unsegmented, "--model", "nuclei")
    expect(page.locator(".card", has_text="field_0")).to_contain_text("Not segmented")
    expect(page.locator(".card", has_text="broken")).to_contain_text("not an image")
    page.get_by_role("button", name="Segment …").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Model", exact=True)).to_have_value("nuclei")
    dialog.get_by_role("button", name="Segment", exact=True).click()
    for number in range(3):
        expect(page.locator(".card", has_text=f"field_{number}")).to_contain_text(
            re.compile(r"\d+ objects"), timeout=90_000
        )
    expect(page.locator(".card", has_text="nothing")).to_contain_text("0 objects")
    expect(page.locator(".card", has_text="nothing").locator(".flag")).to_have_text(["Empty"])
    assert (unsegmented / "cellspan_results" / "field_0_labels.tif").is_file()
    page.get_by_label("Empty").check()
    expect(page.locator(".card")).to_have_count(1)
    assert names(page) == ["nothing.tif"]
    expect(page.locator(".choice [role=status]")).to_have_text("1 of 5 images")
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".card")).to_have_count(5)


def test_the_dialog_of_segmenting_works_by_keyboard(open_review: Opens, unsegmented: Path) -> None:
    page = open_review(unsegmented, "--model", "nuclei")
    page.keyboard.press("g")
    page.get_by_role("dialog").get_by_role("button", name="Segment", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".card", has_text="field_2")).to_contain_text(re.compile(r"\d+ objects"), timeout=90_000)


def test_sort_and_search(open_review: Opens, segmented: Path) -> None:
    write_reviewed(segmented, "few", nuclei(9)[0], np.zeros((256, 256), np.int32))
    page = open_review(segmented)
    expect(page.locator(".card", has_text="few")).to_contain_text("0 objects")
    page.get_by_label("Sort", exact=True).select_option("fewest objects")
    expect(page.locator(".card .name").first).to_have_text("few.tif")
    page.get_by_label("Sort", exact=True).blur()
    page.keyboard.press("/")
    page.keyboard.type("field_1")
    expect(page.locator(".card")).to_have_count(1)
    assert names(page) == ["field_1.tif"]
    page.reload()
    expect(page.locator(".card")).to_have_count(1)


def test_verdicts_by_keyboard_in_the_grid(open_review: Opens, segmented: Path) -> None:
    page = open_review(segmented)
    page.locator(".card a").first.focus()
    page.keyboard.press("a")
    expect(page.locator(".card").nth(0)).to_have_class(re.compile("accepted"))
    page.keyboard.press("ArrowRight")
    expect(page.locator(".card a").nth(1)).to_be_focused()
    page.keyboard.press("r")
    expect(page.locator(".card").nth(1)).to_have_class(re.compile("rejected"))
    expect(page.locator(".top-bar")).to_contain_text("1 accepted, 1 rejected, 1 to judge")
    page.keyboard.press("r")
    expect(page.locator(".top-bar")).to_contain_text("1 accepted, 0 rejected, 2 to judge")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="field_1.tif")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".card a").nth(1)).to_be_focused()


def test_a_thousand_images_scroll_without_a_stall(open_review: Opens, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(1000):
        image = rng.integers(0, 200, (48, 48), np.uint8)
        tifffile.imwrite(tmp_path / f"site_{number:04}.tif", image, photometric="minisblack")
    page = open_review(tmp_path)
    expect(page.locator(".choice [role=status]")).to_have_text("1000 images")
    slowest, most = page.evaluate(SCROLLING)
    last = page.locator(".card", has_text="site_0999.tif")
    expect(last).to_be_visible()
    print(f"slowest frame while scrolling through 1,000 images: {slowest:.0f} ms; at most {most} cards in the page")
    assert most < 100, "only what is in view is in the page"
    page.keyboard.press("Home")
    page.locator(".card a").last.focus()
    page.keyboard.press("Home")
    expect(page.locator(".card", has_text="site_0000.tif").get_by_role("link")).to_be_focused()


# Scrolls to the end in four seconds: [the longest time between two frames, the most cards at any time].
SCROLLING = """() => new Promise((resolve) => {
  const grid = document.querySelector('.grid');
  const begin = performance.now();
  let [last, slowest, most] = [begin, 0, 0];
  const frame = (now) => {
    slowest = Math.max(slowest, now - last);
    last = now;
    most = Math.max(most, document.querySelectorAll('.card').length);
    const part = Math.min(1, (now - begin) / 4000);
    grid.scrollTop = part * (grid.scrollHeight - grid.clientHeight);
    if (part < 1) requestAnimationFrame(frame);
    else resolve([slowest, most]);
  };
  requestAnimationFrame(frame);
})"""
