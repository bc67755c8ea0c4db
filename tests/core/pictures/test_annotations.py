"""Names of annotations."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellspan.core.pictures.annotations import DRAWN, FOUND, MASKS, annotated

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a_masks.tif", ("a", MASKS)),
        ("A_Masks.PNG", ("A", MASKS)),
        ("a_img_masks.png", ("a_img", MASKS)),
        ("a_cp_masks.png", ("a", FOUND)),
        ("a_seg.npy", ("a", DRAWN)),
        ("a_seg.tif", None),
        ("a_masks.npy", None),
        ("a_masks.txt", None),
        ("a_masks2.tif", None),
        ("a.tif", None),
    ],
)
def test_the_image_and_the_mark(name: str, expected: tuple[str, str] | None) -> None:
    assert annotated(Path("x") / name) == expected
