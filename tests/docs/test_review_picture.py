"""The picture of the review page can be taken anew, and shows an image with outlines."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.docs.review_picture import PICTURE, SCREEN, take

PAGE = PICTURE.with_name("review.md")


def colourful(path: Path) -> int:
    """How many pixels have a colour, as outlines do."""
    with Image.open(path) as picture:
        assert picture.size == (SCREEN["width"], SCREEN["height"])
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    return int(np.sum(pixels.max(axis=2) - pixels.min(axis=2) > 60))


@pytest.mark.end_to_end
def test_it_is_taken_anew(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as apart:  # the browser of other tests may be open in this thread, which takes only one
        apart.submit(take, tmp_path / "review.png", tmp_path).result()
    assert colourful(tmp_path / "review.png") == pytest.approx(colourful(PICTURE), rel=0.3)


@pytest.mark.quick
def test_the_page_shows_it() -> None:
    assert f"]({PICTURE.name})" in PAGE.read_text(encoding="utf-8")
    assert colourful(PICTURE) > 5000
