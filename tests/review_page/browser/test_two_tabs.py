"""Nothing is lost: not by a second tab, not by a closed one, not by an engine that dies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Route, expect

from tests.review_page.browser.conftest import Engine, Opened, Opens

pytestmark = pytest.mark.end_to_end


def test_a_second_tab_is_told_and_shows_the_newest(opened: Opened, context: BrowserContext) -> None:
    before = opened.labels()
    second = context.new_page()
    # The second tab hears of no changes, as if both people pressed their keys in the same second.
    second.route("**/api/images?since=*", quiet_after_the_first())
    second.goto(opened.page.url)
    other = Opened(second).ready()
    other.count_is(len(before))
    opened.page.keyboard.press(".")
    opened.page.keyboard.press("Delete")
    opened.count_is(len(before) - 1)
    kept = opened.labels()
    second.keyboard.press(",")
    second.keyboard.press("Delete")
    expect(second.locator(".notices .refused")).to_be_visible()
    other.count_is(len(kept))
    assert other.labels() == kept, "what the first tab did is still there, and nothing else happened"
    second.keyboard.press(",")
    second.keyboard.press("Delete")
    other.count_is(len(kept) - 1)
    # The first tab hears of it by itself.
    opened.count_is(len(kept) - 1)


def quiet_after_the_first() -> Callable[[Route], None]:
    """Lets one list of images through and answers the others with no news."""
    seen: list[Route] = []

    def answer(route: Route) -> None:
        seen.append(route)
        if len(seen) == 1:
            route.continue_()
        else:
            route.fulfill(json={"counter": 1, "total": 0, "reading": 0, "busy": False, "images": []})

    return answer


def test_a_closed_tab_loses_nothing(opened: Opened, open_review: Opens, segmented: Path) -> None:
    before = opened.labels()
    opened.page.keyboard.press(".")
    with opened.page.expect_response(lambda response: response.url.endswith("/edit")):
        opened.page.keyboard.press("Delete")
    opened.page.close(run_before_unload=False)
    page = open_review(segmented)
    page.locator(".card a").first.click()
    again = Opened(page).ready()
    again.count_is(len(before) - 1)
    again.button("Undo").click()
    again.count_is(len(before))
    assert again.labels() == before


def test_an_engine_that_ends_loses_nothing(
    opened: Opened, open_review: Opens, segmented: Path, engine: Engine, context: BrowserContext
) -> None:
    before = opened.labels()
    opened.page.keyboard.press("d")
    opened.drag((2, 2), (30, 2), (30, 30), (2, 30))
    opened.page.wait_for_function("() => !document.querySelector('.overlay .line')")
    expect(opened.page.locator(".image-bar .facts")).to_contain_text("corrected")
    drawn = opened.labels()
    opened.page.keyboard.press("a")
    expect(opened.page.locator(".top-bar")).to_contain_text("1 accepted")
    opened.page.close()
    engine.run("service", "stop")
    page = open_review(segmented)
    expect(page.locator(".top-bar")).to_contain_text("1 accepted")
    page.locator(".card a").first.click()
    again = Opened(page).ready()
    assert again.labels() == drawn != before
    again.button("Undo").click()


def test_the_page_says_that_the_engine_is_gone(browser: Browser, engine: Engine, segmented: Path) -> None:
    page = browser.new_context().new_page()
    page.goto(engine.link(segmented))
    page.wait_for_selector(".card")
    engine.run("service", "stop")
    expect(page.locator(".broken")).to_contain_text("Your work is saved")
    page.context.close()


def test_a_link_opens_once(browser: Browser, engine: Engine, segmented: Path) -> None:
    link = engine.link(segmented)
    first, second = browser.new_context(), browser.new_context()
    page = first.new_page()
    page.goto(link)
    page.wait_for_selector(".card")
    stranger = second.new_page()
    answer = stranger.goto(link)
    assert answer is not None
    assert answer.status == 403
    answer = stranger.goto(page.url)
    assert answer is not None
    assert answer.status == 403
    first.close()
    second.close()
