"""Who may read the page: whoever opened the link, in that browser, and no other web page."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cellspan.core.errors import CellspanError
from cellspan.review_page.page import ReviewPage

from .conftest import Opened, Tab

pytestmark = pytest.mark.quick
PATHS = ("", "api/session", "api/images", "api/teach", "api/images/x/tile", "assets/index.js")


@pytest.fixture
def stranger(page: ReviewPage) -> TestClient:
    """A browser without the cookie."""
    return TestClient(page.app, "http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False)


def test_nothing_is_readable_without_the_cookie(tab: Tab, stranger: TestClient, signs: list[None]) -> None:
    signs.clear()
    for path in PATHS:
        answer = stranger.get(tab.base + path)
        assert (answer.status_code, answer.json()["code"]) == (403, "no_session"), path
        assert tab.client.get(tab.base + path).status_code in (200, 404, 503), path
        forged = stranger.get(tab.base + path, headers={"Cookie": f"cellspan-review-{tab.base.split('/')[2]}=x"})
        assert forged.status_code == 403
    assert len(signs) == len(PATHS)  # only whoever may read keeps the engine


def test_a_link_works_once(page: ReviewPage, plate: Path, stranger: TestClient) -> None:
    link = page.invite({"folder": str(plate)})
    first = stranger.get(link)
    assert first.status_code == 303
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert f"path={first.headers['location']}" in cookie
    second = stranger.get(link)
    assert (second.status_code, second.json()["code"]) == (403, "link_used")
    for bad in ("/review/open", "/review/open?key=", "/review/open?key=x", "/review/open?key=%ff"):
        assert stranger.get(bad).status_code == 403


def test_a_link_is_only_for_get(page: ReviewPage, plate: Path, stranger: TestClient) -> None:
    link = page.invite({"folder": str(plate)})
    assert stranger.post(link).status_code == 403
    assert stranger.get(link).status_code == 303


def test_two_folders_in_one_browser_do_not_mix(
    page: ReviewPage, plate: Path, tmp_path: Path, stranger: TestClient
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "X.tif").write_bytes((plate / "A01.tif").read_bytes())
    first, second = (
        stranger.get(page.invite({"folder": str(folder)})).headers["location"] for folder in (plate, other)
    )
    assert first != second
    assert stranger.get(first + "api/session").json()["folder"] == str(plate)
    assert stranger.get(second + "api/session").json()["folder"] == str(other)


def test_one_folder_is_one_session(tab: Tab, open_tab: Opened, plate: Path) -> None:
    other = open_tab(plate, parameters={"diameter": 17})
    assert other.base == tab.base
    assert tab.get("session").json()["parameters"]["diameter"] == 17


def test_no_other_page_may_send(tab: Tab) -> None:
    body = {"ids": "all", "parameters": {}}
    for headers in ({"X-Cellspan": ""}, {"Origin": "http://evil.example"}, {"Origin": "http://127.0.0.1:1"}):
        answer = tab.send("POST", "segment", body, **headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "foreign"), headers
    assert tab.get("images").status_code == 200
    assert tab.send("POST", "save", {"kinds": ["labels"]}, Origin="http://127.0.0.1").status_code == 200


def test_headers_of_every_answer(tab: Tab, stranger: TestClient) -> None:
    for answer in (tab.get("session"), stranger.get(tab.base), stranger.get("/review/open")):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_what_cannot_be_reviewed_is_refused(page: ReviewPage, tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match="no images were found"):
        page.invite({"folder": str(tmp_path), "parameters": {}})
    with pytest.raises(CellspanError, match="diameter"):
        page.invite({"folder": str(tmp_path), "parameters": {"diameter": -1}})
