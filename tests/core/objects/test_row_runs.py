"""Runs give the same sizes and centres as counting pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from cellspan.core.objects.row_runs import runs_of

pytestmark = pytest.mark.quick


@given(arrays(np.int32, array_shapes(min_dims=2, max_dims=3, max_side=9), elements=st.integers(0, 4)))
def test_sizes_and_centres_are_those_of_the_pixels(labels: np.ndarray) -> None:
    runs = runs_of(labels)
    centres = np.transpose(runs.centres(4))
    for number, (area, centre) in enumerate(zip(runs.areas(4), centres, strict=True), 1):
        pixels = np.argwhere(labels == number)
        assert area == len(pixels)
        if len(pixels):
            np.testing.assert_allclose(centre, pixels.mean(axis=0), rtol=1e-12)
        else:
            assert np.isnan(centre).all()


def test_a_run_ends_with_its_row() -> None:
    runs = runs_of(np.array([[0, 1, 1], [1, 1, 0]], np.int32))
    np.testing.assert_array_equal(runs.starts, [1, 3])
    np.testing.assert_array_equal(runs.lengths, [2, 2])
