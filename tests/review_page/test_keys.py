"""Links work once and for five minutes, cookies for one review."""

from __future__ import annotations

import pytest

from cellspan.review_page import keys as module
from cellspan.review_page.keys import Keys

pytestmark = pytest.mark.quick


def test_a_link_works_once() -> None:
    keys = Keys()
    key = keys.link("a")
    session, secret = keys.use(key) or ("", "")
    assert session == "a"
    assert keys.use(key) is None
    assert keys.opens(secret, "a")
    assert not keys.opens(secret, "b")
    assert not keys.opens("", "a")
    assert not keys.opens(key, "a")


def test_a_link_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys()
    monkeypatch.setattr(module, "LINK_SECONDS", -1.0)
    assert keys.use(keys.link("a")) is None


def test_every_browser_has_its_own_secret() -> None:
    keys = Keys()
    secrets = [keys.use(keys.link("a")) for _ in range(3)]
    assert len({found[1] for found in secrets if found}) == 3
    assert all(keys.opens(found[1], "a") for found in secrets if found)


def test_the_oldest_cookies_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    keys = Keys()
    secrets = [(keys.use(keys.link("a")) or ("", ""))[1] for _ in range(3)]
    assert [keys.opens(secret, "a") for secret in secrets] == [False, True, True]
