"""Outlines: exact there and back, for any label image."""

import numpy as np
import pytest
import roifile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellspan.core.errors import CellspanError
from cellspan.core.objects.outlines import labels_to_rois, polygon, rois_to_labels, trace_outlines

pytestmark = pytest.mark.quick
small_labels = arrays(np.int32, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3))


def area(loop: np.ndarray) -> float:
    """Shoelace formula; holes run the other way round and count negative."""
    x, y = loop.T.astype(float)
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)


@given(small_labels)
def test_the_enclosed_area_is_the_number_of_pixels(labels: np.ndarray) -> None:
    for label, loops in enumerate(trace_outlines(labels), 1):
        assert sum(area(loop) for loop in loops) == np.count_nonzero(labels == label)


@given(small_labels)
def test_points_are_corners_only(labels: np.ndarray) -> None:
    for loop in (loop for loops in trace_outlines(labels) for loop in loops):
        sides = np.diff(loop, axis=0, append=loop[:1])
        assert (np.count_nonzero(sides, axis=1) == 1).all()
        assert ((sides * np.roll(sides, 1, axis=0)).sum(1) == 0).all()


@given(small_labels)
def test_rois_paint_the_same_labels(labels: np.ndarray) -> None:
    present = np.unique(labels[labels > 0])
    painted = rois_to_labels(labels_to_rois(labels), labels.shape)
    for k, label in enumerate(present, 1):
        assert np.array_equal(painted == k, labels == label)


@given(small_labels, st.sampled_from([0, 70_000]))
def test_polygons_are_those_that_roifile_makes(labels: np.ndarray, left: int) -> None:
    """Also where coordinates are too large for whole numbers."""
    labels = np.pad(labels, ((0, 0), (left, 0)))
    expected = [polygon(loops[0], f"{k:04d}") for k, loops in enumerate(trace_outlines(labels), 1) if len(loops) == 1]
    found = [roi for roi in labels_to_rois(labels) if roi.roitype == roifile.ROI_TYPE.POLYGON]
    assert [roi.tobytes() for roi in found] == [roi.tobytes() for roi in expected]
    assert [repr(roi) for roi in found] == [repr(roi) for roi in expected]
    assert [list(vars(roi)) for roi in found] == [list(vars(roi)) for roi in expected]
    for roi in found:
        assert (type(roi.left), roi.integer_coordinates.dtype) == (int, np.int32)


def test_changing_one_roi_leaves_the_others_alone() -> None:
    labels = np.zeros((10, 20), np.int32)
    labels[2:5, 3:7], labels[4:8, 10:12] = 1, 2
    first, second = labels_to_rois(labels)
    before = second.tobytes()
    first.integer_coordinates += 5
    first.name, first.position = "other", 3
    assert second.tobytes() == before


def test_a_square_has_four_corners_and_its_label_as_name() -> None:
    labels = np.zeros((10, 10), np.int32)
    labels[2:5, 3:7] = 1
    [roi] = labels_to_rois(labels)
    assert roi.name == "0001"
    assert sorted(map(tuple, roi.coordinates().astype(int))) == [(3, 2), (3, 5), (7, 2), (7, 5)]


def test_a_ring_is_one_roi_with_a_hole() -> None:
    labels = np.ones((9, 9), np.int32)
    labels[3:6, 3:6] = 0
    [roi] = labels_to_rois(labels)
    assert np.array_equal(rois_to_labels([roi], (9, 9)), labels)


def test_no_objects_give_no_rois() -> None:
    assert labels_to_rois(np.zeros((5, 5), np.int32)) == []


def test_volumes_are_refused() -> None:
    with pytest.raises(CellspanError, match="plane by plane"):
        trace_outlines(np.zeros((2, 5, 5), np.int32))
