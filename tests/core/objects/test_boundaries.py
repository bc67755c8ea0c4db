"""Borders of objects, and how far apart those of two label images are."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from cellspan.core.errors import CellspanError
from cellspan.core.objects.boundaries import border_pixels, boundary_score

pytestmark = pytest.mark.quick
LABELS = arrays(np.int32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3))


def square(shift: int = 0) -> np.ndarray:
    labels = np.zeros((20, 20), np.int32)
    labels[5:15, 5 + shift : 15 + shift] = 1
    return labels


def test_a_square_has_a_border_one_pixel_wide() -> None:
    assert border_pixels(square()).sum() == 10 * 10 - 8 * 8


def test_the_edge_of_the_image_is_no_border() -> None:
    assert not border_pixels(np.ones((4, 5), np.int32)).any()


def test_objects_that_touch_have_borders_on_both_sides() -> None:
    assert border_pixels(np.array([[1, 1, 2, 2]])).tolist() == [[False, True, True, False]]


def test_stacks_have_borders_above_and_below() -> None:
    labels = np.zeros((5, 5, 5), np.int32)
    labels[1:4, 1:4, 1:4] = 1
    assert border_pixels(labels).sum() == 27 - 1


@given(st.integers(0, 2**32), st.sampled_from([(7, 9), (4, 5, 6)]))
def test_the_border_of_a_mask_is_what_erosion_takes_away(seed: int, shape: tuple[int, ...]) -> None:
    mask = np.random.default_rng(seed).random(shape) < 0.7
    np.testing.assert_array_equal(border_pixels(mask), mask & ~ndimage.binary_erosion(mask, border_value=1))


@given(LABELS)
def test_an_image_agrees_with_itself(labels: np.ndarray) -> None:
    score = boundary_score(labels, labels, 0)
    assert score.f1 == 1
    assert math.isnan(score.distance) or score.distance == 0


def test_what_is_shifted_by_two_pixels() -> None:
    assert boundary_score(square(), square(2), 2).f1 == 1
    assert boundary_score(square(), square(2), 1).f1 < 0.8
    assert boundary_score(square(), square(2), 1).distance == pytest.approx(0, abs=2)


@given(LABELS, st.integers(0, 3))
def test_both_sides_count_alike(labels: np.ndarray, tolerance: int) -> None:
    other = np.roll(labels, 1)
    one, two = boundary_score(labels, other, tolerance), boundary_score(other, labels, tolerance)
    assert one.f1 == pytest.approx(two.f1)


def test_nothing_found_and_nothing_there() -> None:
    nothing = np.zeros((20, 20), np.int32)
    assert boundary_score(nothing, nothing).f1 == 1
    assert boundary_score(square(), nothing).f1 == 0
    assert math.isnan(boundary_score(square(), nothing).distance)


def test_whoever_looks_for_borders_does_not_wait_for_scipy() -> None:
    code = "import sys, cellspan.core.objects.boundaries; print('scipy.ndimage' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_shapes_must_agree() -> None:
    with pytest.raises(CellspanError, match="must have one shape"):
        boundary_score(np.zeros((2, 2), np.int32), np.zeros((2, 3), np.int32))
