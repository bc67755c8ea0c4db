"""What is kept, and what makes room."""

from __future__ import annotations

import threading
import time

import pytest

from cellspan.review_page.kept import Kept

pytestmark = pytest.mark.quick


def test_made_once_and_the_oldest_makes_room() -> None:
    kept: Kept[str] = Kept(6, len)
    made: list[str] = []

    def get(key: str) -> str:
        return kept.get(key, lambda: made.append(key) or key * 3)

    assert [get("a"), get("b"), get("a"), get("c"), get("a"), get("b")] == ["aaa", "bbb", "aaa", "ccc", "aaa", "bbb"]
    assert made == ["a", "b", "c", "b"]


def test_the_newest_is_kept_even_if_it_is_too_large() -> None:
    kept: Kept[str] = Kept(2, len)
    assert kept.get("a", lambda: "large") == kept.get("a", lambda: "never made") == "large"


def test_dropped() -> None:
    kept: Kept[str] = Kept(9, len)
    kept.get("a", lambda: "old")
    kept.drop(lambda key: key == "a")
    assert kept.get("a", lambda: "new") == "new"


def test_two_that_ask_at_once_wait_for_one() -> None:
    kept: Kept[str] = Kept(9, len)
    made = []

    def make() -> str:
        made.append(1)
        time.sleep(0.05)
        return "x"

    threads = [threading.Thread(target=kept.get, args=("a", make)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_what_fails_is_made_again() -> None:
    kept: Kept[str] = Kept(9, len)
    with pytest.raises(ValueError, match="no"):
        kept.get("a", lambda: (_ for _ in ()).throw(ValueError("no")))
    assert kept.get("a", lambda: "x") == "x"
