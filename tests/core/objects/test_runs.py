"""Runs say what the image says: they paint it again, and know its boxes, pieces and holes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from cellspan.core.objects.boxes import label_boxes
from cellspan.core.objects.runs import largest_of, pieces_of, runs_of

pytestmark = pytest.mark.quick
COUNT = 4
images = arrays(np.int32, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, COUNT))


@given(images)
def test_painted_runs_are_the_image(labels: np.ndarray) -> None:
    runs = runs_of(labels)
    assert runs.lengths.sum() == np.count_nonzero(labels)
    np.testing.assert_array_equal(runs.painted(runs.labels), labels)


@given(images)
def test_boxes_are_those_of_the_image(labels: np.ndarray) -> None:
    runs = runs_of(labels)
    for found, expected in zip(runs.boxes(runs.labels, COUNT), label_boxes(labels, COUNT), strict=True):
        np.testing.assert_array_equal(found, expected)


@given(images)
def test_pieces_and_holes_agree_with_scipy(labels: np.ndarray) -> None:
    runs = runs_of(labels)
    pieces = pieces_of(runs, COUNT)
    numbers = runs.painted((pieces.roots + 1).astype(np.int32))
    for label in range(1, COUNT + 1):
        own = labels == label
        _, count = ndimage.label(own)
        assert len(np.unique(numbers[own])) == count
        # What touches the border of a frame around the image is outside; the background is 8-connected.
        _, outside = ndimage.label(~np.pad(own, 1), structure=np.ones((3, 3)))
        assert pieces.holes[label - 1] == outside - 1


def test_the_first_of_equal_pieces_is_the_largest() -> None:
    labels = np.array([[1, 1, 0, 2, 0, 1, 1], [0, 0, 0, 2, 0, 0, 0]], np.int32)
    runs = runs_of(labels)
    kept = runs.painted(largest_of(runs, pieces_of(runs, 2), 2))
    assert kept.tolist() == [[1, 1, 0, 2, 0, 0, 0], [0, 0, 0, 2, 0, 0, 0]]
