"""Deleting, merging, splitting, drawing, undo and redo, each by mouse and by keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.review_page.browser.conftest import Opened, Opens, middle

pytestmark = pytest.mark.end_to_end


def apart(opened: Opened, count: int) -> list[dict[str, Any]]:
    """Some objects that lie wholly inside the image, the largest first."""
    found = [one for one in opened.outlines()["objects"] if not one["edge"]]
    return sorted(found, key=lambda one: -one["area"])[:count]


def extent(found: dict[str, Any]) -> np.ndarray:
    """Left, top, right, bottom."""
    points = np.asarray(found["polygon"]).reshape(-1, 2)
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def test_delete_by_mouse_and_undo_by_mouse(opened: Opened) -> None:
    before = opened.labels()
    one, other = apart(opened, 2)
    opened.click_on(one)
    opened.click_with_shift(other)
    expect(opened.page.locator(".panel tbody tr")).to_have_count(2)
    opened.button("Delete").click()
    opened.count_is(len(before) - 2)
    assert opened.labels() == before - {one["label"], other["label"]}
    opened.button("Undo").click()
    opened.count_is(len(before))
    assert opened.labels() == before
    opened.button("Redo").click()
    opened.count_is(len(before) - 2)


def test_delete_by_keyboard_and_undo_by_keyboard(opened: Opened) -> None:
    before = opened.labels()
    keys = opened.page.keyboard
    keys.press(".")
    keys.press(".")
    keys.press(">")
    expect(opened.page.locator(".panel tbody tr")).to_have_count(2)
    keys.press("Delete")
    opened.count_is(len(before) - 2)
    keys.press("Control+z")
    opened.count_is(len(before))
    assert opened.labels() == before
    keys.press("Control+y")
    opened.count_is(len(before) - 2)
    keys.press("Control+z")
    opened.count_is(len(before))
    keys.press("Control+Shift+z")
    opened.count_is(len(before) - 2)


def test_a_click_beside_all_objects_selects_none(opened: Opened) -> None:
    (one,) = apart(opened, 1)
    opened.click_on(one)
    expect(opened.page.locator(".panel tbody tr")).to_have_count(1)
    opened.page.mouse.click(*opened.on_screen(-10, 128))
    expect(opened.page.locator(".panel tbody tr")).to_have_count(0)
    expect(opened.button("Delete")).to_be_disabled()


@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_merge(opened: Opened, by: str) -> None:
    before = opened.labels()
    if by == "mouse":
        one, other = apart(opened, 2)
        opened.click_on(one)
        opened.click_with_shift(other)
        opened.button("Merge").click()
    else:
        for key in (".", ">", "m"):
            opened.page.keyboard.press(key)
    opened.count_is(len(before) - 1)
    assert len(before - opened.labels()) == 1
    expect(opened.page.locator(".panel tbody tr")).to_have_count(1)
    expect(opened.button("Split")).to_be_enabled()
    expect(opened.button("Merge")).to_be_disabled()
    if by == "mouse":
        expect(opened.page.locator(".notices")).to_contain_text("They do not touch")


def test_split_by_a_line_that_is_dragged(opened: Opened) -> None:
    before = opened.labels()
    (one,) = apart(opened, 1)
    left, top, right, bottom = extent(one)
    opened.click_on(one)
    opened.button("Split").click()
    opened.drag((left - 6, (top + bottom) / 2), (right + 6, (top + bottom) / 2))
    opened.count_is(len(before) + 1)
    expect(opened.page.locator(".panel tbody tr")).to_have_count(2)
    expect(opened.button("Select")).to_have_attribute("aria-pressed", "true")
    parts = [found for found in opened.outlines()["objects"] if found["label"] not in before - {one["label"]}]
    halves = sorted(middle(part)[1] for part in parts)
    assert halves[0] < (top + bottom) / 2 < halves[-1], "cut from left to right, so one half lies above the other"


def test_split_by_clicks(opened: Opened) -> None:
    before = opened.labels()
    (one,) = apart(opened, 1)
    left, top, right, bottom = extent(one)
    opened.click_on(one)
    opened.page.keyboard.press("s")
    x = (left + right) / 2
    opened.page.mouse.click(*opened.on_screen(x, top - 6))
    opened.page.mouse.dblclick(*opened.on_screen(x, bottom + 6))
    opened.count_is(len(before) + 1)


def test_split_by_keyboard(opened: Opened) -> None:
    before = opened.labels()
    (one,) = apart(opened, 1)
    left, top, right, bottom = extent(one)
    keys = opened.page.keyboard
    select_by_keyboard(opened, one["label"])
    keys.press("s")
    move_cross(opened, left - 5, (top + bottom) / 2)
    keys.press("Space")
    move_cross(opened, right + 5, (top + bottom) / 2)
    keys.press("Space")
    keys.press("Enter")
    opened.count_is(len(before) + 1)


def select_by_keyboard(opened: Opened, label: int) -> None:
    """From object to object until it is this one."""
    chosen = opened.page.locator(".panel tbody th")
    for _ in opened.labels():
        opened.page.keyboard.press(".")
        if chosen.inner_text().split()[0] == str(label):
            return
    pytest.fail(f"the keyboard does not reach object {label}")


def move_cross(opened: Opened, x: float, y: float) -> None:
    """By arrow keys alone, until it is as near as these can bring it."""
    keys = opened.page.keyboard
    keys.press("ArrowRight")
    keys.press("ArrowLeft")
    goal = opened.on_screen(x, y)
    box = opened.page.get_by_test_id("cross").bounding_box()
    assert box
    here = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for axis, (less, more) in enumerate((("ArrowLeft", "ArrowRight"), ("ArrowUp", "ArrowDown"))):
        steps = round((goal[axis] - here[axis]) / 8)
        for _ in range(abs(steps)):
            keys.press(more if steps > 0 else less)


@pytest.mark.parametrize("by", ["mouse", "clicks", "keyboard"])
def test_draw_where_an_object_was_deleted(opened: Opened, by: str) -> None:
    before = opened.labels()
    (one,) = apart(opened, 1)
    left, top, right, bottom = extent(one)
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    opened.click_on(one)
    opened.page.keyboard.press("Delete")
    opened.count_is(len(before) - 1)
    if by == "mouse":
        opened.button("Draw").click()
        expect(opened.page.locator(".how")).to_contain_text("Drag around the object.")
        opened.drag(*corners)
        expect(opened.page.locator(".how")).to_have_count(0)
    elif by == "clicks":
        opened.page.keyboard.press("d")
        for corner in corners[:-1]:
            opened.page.mouse.click(*opened.on_screen(*corner))
        opened.page.mouse.dblclick(*opened.on_screen(*corners[-1]))
    else:
        opened.page.keyboard.press("d")
        for corner in corners:
            move_cross(opened, *corner)
            opened.page.keyboard.press("Space")
        opened.page.keyboard.press("Enter")
    opened.count_is(len(before))
    new = [found for found in opened.outlines()["objects"] if found["label"] not in before - {one["label"]}]
    assert len(new) == 1
    # Pixels of neighbours stay theirs, so that it may be smaller than the rectangle, and the cross moves in steps.
    assert 0.5 * one["area"] < new[0]["area"] < 1.7 * one["area"]


def test_escape_gives_up_one_thing_at_a_time(opened: Opened) -> None:
    before = opened.outlines()
    keys = opened.page.keyboard
    keys.press(".")
    keys.press("d")
    keys.press("ArrowRight")
    keys.press("Space")
    keys.press("Escape")
    expect(opened.page.locator(".overlay .line")).to_have_count(0)
    expect(opened.button("Draw")).to_have_attribute("aria-pressed", "true")
    keys.press("Escape")
    expect(opened.button("Select")).to_have_attribute("aria-pressed", "true")
    expect(opened.page.locator(".panel tbody tr")).to_have_count(1)
    keys.press("Escape")
    expect(opened.page.locator(".panel tbody tr")).to_have_count(0)
    assert opened.outlines() == before
    keys.press("Escape")
    expect(opened.page.locator(".card").first).to_be_visible()


def test_a_line_without_enough_points_is_told(opened: Opened) -> None:
    keys = opened.page.keyboard
    keys.press("d")
    keys.press("Space")
    keys.press("Enter")
    expect(opened.page.get_by_text("The line needs at least 3 points.")).to_be_visible()


def test_an_image_without_objects_can_be_drawn_in(open_review: Opens, unsegmented: Path) -> None:
    page = open_review(unsegmented)
    page.locator(".card", has_text="nothing.tif").get_by_role("link").click()
    opened = Opened(page).ready()
    page.keyboard.press("d")
    opened.drag((50, 50), (100, 50), (100, 100), (50, 100))
    opened.count_is(1)
    page.reload()
    opened.ready()
    opened.count_is(1)
