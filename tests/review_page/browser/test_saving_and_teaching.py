"""Saving for other programs, and teaching a model with the accepted images."""

from __future__ import annotations

from pathlib import Path

import pytest
import tifffile
from playwright.sync_api import expect

from cellspan.core.pictures.reading import read_labels
from tests.review_page.browser.conftest import Engine, Opened, Opens

pytestmark = pytest.mark.end_to_end


def test_save_what_was_corrected(opened: Opened, segmented: Path) -> None:
    page = opened.page
    page.keyboard.press(".")
    page.keyboard.press("Delete")
    expect(page.locator(".image-bar .facts")).to_contain_text("corrected")
    kept = opened.labels()
    page.keyboard.press("Control+s")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Training pairs").check()
    expect(dialog.get_by_label("This image")).to_be_checked()
    dialog.get_by_role("button", name="Save", exact=True).click()
    expect(dialog.get_by_role("status")).to_contain_text("were written")
    folder, *names = dialog.locator("code").all_inner_texts()
    written = [Path(folder, name) for name in names]
    assert len(written) == 3
    assert all(path.is_file() for path in written)
    saved = segmented / "cellspan_results" / "reviewed"
    (labels,) = saved.glob("field_0*_labels.tif")
    assert len(set(read_labels(labels).ravel().tolist()) - {0}) == len(kept)
    assert [path.suffix for path in saved.glob("field_0*") if path.suffix == ".zip"] == [".zip"]
    (pair,) = (saved / "pairs").glob("*_masks.tif")
    assert tifffile.imread(pair).max() > 0
    assert len(list(saved.glob("*_labels.tif"))) == 1, "only this image was asked for"


def test_nothing_accepted_is_told(open_review: Opens, segmented: Path) -> None:
    page = open_review(segmented)
    page.get_by_role("button", name="Teach a model …").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("No image is accepted yet.")
    expect(dialog.get_by_role("button", name="Teach", exact=True)).to_be_disabled()


@pytest.mark.timeout(900)
def test_teach_a_model_with_the_accepted_images(open_review: Opens, segmented: Path, engine: Engine) -> None:
    page = open_review(segmented, "--model", "nuclei")
    for number in range(3):
        page.locator(".card a").nth(number).focus()
        page.keyboard.press("a")
        expect(page.locator(".top-bar")).to_contain_text(f"{number + 1} accepted")
    page.keyboard.press("t")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name of the new model").fill("taught_here")
    dialog.get_by_label("Begin with the model").select_option("nuclei")
    dialog.get_by_label("Minutes").fill("0.2")
    dialog.get_by_role("button", name="Teach", exact=True).click()
    expect(dialog.get_by_role("progressbar")).to_be_visible(timeout=60_000)
    use = dialog.get_by_role("button", name="Segment with taught_here …")
    expect(use).to_be_visible(timeout=600_000)
    table = dialog.get_by_role("table")
    expect(table).to_contain_text("Before")
    for number in table.locator("tbody tr").first.locator("td").all_inner_texts():
        assert 0 <= float(number) <= 1
    use.click()
    expect(page.get_by_role("dialog").get_by_label("Model", exact=True)).to_have_value("taught_here")
    assert "taught_here" in engine.run("models", "list")


def test_training_can_be_stopped(open_review: Opens, segmented: Path) -> None:
    page = open_review(segmented, "--model", "nuclei")
    page.locator(".card a").first.focus()
    page.keyboard.press("a")
    expect(page.locator(".top-bar")).to_contain_text("1 accepted")
    page.keyboard.press("t")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name of the new model").fill("never_finished")
    dialog.get_by_label("Minutes").fill("30")
    dialog.get_by_role("button", name="Teach", exact=True).click()
    stop = dialog.get_by_role("button", name="Stop training")
    stop.click(timeout=60_000)
    expect(stop).to_have_count(0, timeout=60_000)
    expect(dialog.get_by_role("button", name="Teach", exact=True)).to_be_enabled()
