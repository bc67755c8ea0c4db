"""axe finds no serious fault in any view or dialog, and the keyboard's place is always seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect

from tests.review_page.browser.conftest import Opened, Opens

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def axe() -> str:
    """The program of axe."""
    (program,) = Path(axe_playwright_python.__file__).parent.rglob("axe.min.js")
    return program.read_text(encoding="utf-8")


def serious(page: Page, axe: str) -> list[str]:
    """What axe calls serious or critical, with the elements."""
    page.evaluate(axe)  # not as a <script>, which the page's own rules refuse
    found: dict[str, Any] = page.evaluate("() => axe.run()")
    assert found["passes"], "axe has looked at something"
    faults = [fault for fault in found["violations"] if fault["impact"] in ("serious", "critical")]
    return [f"{fault['id']}: {[node['html'][:200] for node in fault['nodes']]}" for fault in faults]


def test_axe_sees_a_fault(open_review: Opens, segmented: Path, axe: str) -> None:
    page = open_review(segmented)
    page.evaluate("() => document.querySelector('.choice').append(document.createElement('button'))")
    assert any(fault.startswith("button-name") for fault in serious(page, axe))


def test_no_serious_faults_in_the_grid(open_review: Opens, segmented: Path, axe: str) -> None:
    page = open_review(segmented)
    page.locator(".card a").first.focus()
    page.keyboard.press("a")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("r")
    expect(page.locator(".top-bar")).to_contain_text("1 rejected")
    assert serious(page, axe) == []


def test_no_serious_faults_in_an_image(opened: Opened, axe: str) -> None:
    page = opened.page
    page.keyboard.press(".")
    page.get_by_text("More settings").click()
    assert serious(page, axe) == []
    page.keyboard.press("d")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The line needs at least 3 points.")).to_be_visible()
    assert serious(page, axe) == []


@pytest.mark.parametrize("key", ["?", "Control+s", "t", "g"])
def test_no_serious_faults_in_dialogs(open_review: Opens, segmented: Path, axe: str, key: str) -> None:
    page = open_review(segmented)
    page.keyboard.press(key)
    expect(page.get_by_role("dialog")).to_be_visible()
    assert serious(page, axe) == []


def test_everything_is_reached_by_tab_and_is_seen(opened: Opened) -> None:
    """From control to control, each with an outline around it, until the round is complete."""
    page = opened.page
    reached = []
    for _ in range(80):
        page.keyboard.press("Tab")
        name, seen, again = page.evaluate(FOCUSED)
        if again:
            break
        reached.append(name)
        assert seen, f"{name} has the focus, and nothing shows it"
    for wanted in ("Save", "Accept", "Draw", "Fill", "Find objects again", "Automatic contrast"):
        assert any(name.startswith(wanted) for name in reached), f"{wanted} is not among {reached}"


FOCUSED = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return ['the page', true, false];
  const again = 'reached' in element.dataset;
  element.dataset.reached = '';
  const label = element.getAttribute('aria-label') || element.labels?.[0]?.textContent || element.textContent;
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  return [label, outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1, again];
}"""
