"""Parts of an image in which a diameter is measured: inside it, and only where they save time."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellspan.core.parameters import Parameters
from cellspan.core.planes.pixels import FEWER, Pixels

pytestmark = pytest.mark.quick


def pixels(height: int, width: int) -> Pixels:
    numbers = np.arange(height * width, dtype=np.float32).reshape(height, width)
    return Pixels(np.stack([numbers, -numbers]), Parameters())


@given(st.integers(1, 300), st.integers(1, 300), st.floats(1, 120))
def test_windows_are_four_different_parts_or_none(height: int, width: int, side: float) -> None:
    windows = pixels(height, width).windows(side)
    assert len(windows) in (0, 4)
    assert {window.shape for window in windows} <= {(round(side), round(side))}
    corners = {float(window.planes[0, 0, 0]) for window in windows}
    assert len(corners) == len(windows)
    if windows:
        assert sum(window.planes[0].size for window in windows) <= 1.1 * height * width / FEWER + 4 * (2 * side + 1)


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.1, 90))
def test_the_middle_is_in_the_middle_and_not_empty(height: int, width: int, side: float) -> None:
    whole = pixels(height, width)
    middle = whole.middle(side)
    assert 1 <= middle.shape[0] <= height
    assert 1 <= middle.shape[1] <= width
    top, left = divmod(int(middle.planes[0, 0, 0]), width)
    bottom, right = height - top - middle.shape[0], width - left - middle.shape[1]
    assert abs(top - bottom) <= 1
    assert abs(left - right) <= 1


def test_flat_images_are_those_without_contrast_in_the_channels_to_segment() -> None:
    planes = np.zeros((2, 4, 5), np.float32)
    planes[1, 1, 1] = 1
    assert Pixels(planes, Parameters()).is_flat()
    assert not Pixels(planes, Parameters()).is_flat(2)
    planes[0, 2, 2] = 1
    assert not Pixels(planes, Parameters()).is_flat()


@given(st.integers(1, 30), st.integers(1, 30), st.randoms(use_true_random=False))
def test_what_is_looked_at_is_the_smallest_part_that_holds_the_mask(height: int, width: int, random: Any) -> None:
    whole = pixels(height, width)
    assert whole.looked_at() is whole
    mask = np.zeros((height, width), bool)
    for _ in range(random.randint(1, 4)):
        mask[random.randrange(height), random.randrange(width)] = True
    part = replace(whole, mask=mask).looked_at()
    assert part.mask.sum() == mask.sum()
    assert all(part.mask.take(end, axis).any() for axis in (0, 1) for end in (0, -1))
    y, x = np.nonzero(mask)
    assert divmod(int(part.planes[0, 0, 0]), width) == (y.min(), x.min())
