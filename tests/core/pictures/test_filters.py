"""Smoothing and sharpening: the middle stays where it is, and what does not count changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellspan.core.pictures.filters import filtered, reach_of

pytestmark = pytest.mark.quick


def test_a_point_stays_where_it_is() -> None:
    plane = np.zeros((41, 60))
    plane[20, 25] = 1
    smoothed = filtered(plane, None, 2, 0)
    y, x = (np.average(axis, weights=smoothed) for axis in np.indices(plane.shape))
    assert (y, x) == (pytest.approx(20), pytest.approx(25))
    assert smoothed[20, 25] == pytest.approx(1 / (2 * np.pi * 2**2), rel=0.02)
    assert filtered(plane, None, 0, 4)[20, 25] == pytest.approx(1)


def test_even_light_is_kept_by_smoothing_and_taken_away_by_sharpening() -> None:
    plane = np.full((30, 40), 700.0)
    np.testing.assert_allclose(filtered(plane, None, 3, 0), 700, rtol=1e-5)
    np.testing.assert_allclose(filtered(plane, None, 2, 6), 0, atol=0.01)


def test_what_is_out_of_reach_changes_nothing() -> None:
    plane = np.random.default_rng(0).random((80, 90))
    other = plane.copy()
    other[:, 60:] = 9
    near = 60 - reach_of(2, 5)
    np.testing.assert_array_equal(filtered(other, None, 2, 5)[:, :near], filtered(plane, None, 2, 5)[:, :near])


@given(
    inside=st.integers(0, 2**32).map(lambda seed: np.random.default_rng(seed).random((24, 31)) < 0.6),
    radii=st.sampled_from([(2.0, 0.0), (0.0, 3.0), (1.0, 3.0)]),
)
def test_what_lies_outside_changes_nothing(inside: np.ndarray, radii: tuple[float, float]) -> None:
    plane = np.random.default_rng(1).random(inside.shape)
    other = np.where(inside, plane, np.random.default_rng(2).choice([1e9, np.nan, np.inf], inside.shape))
    found = filtered(other, inside, *radii)
    np.testing.assert_array_equal(found, filtered(plane, inside, *radii))
    assert not found[~inside].any()
