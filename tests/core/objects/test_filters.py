"""Objects are cut to the mask and filtered as the engine would filter them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellspan.core.objects.filters import across, border_of, discarded, filter_objects, renumber
from cellspan.core.objects.labels import drop_on_edges, keep
from cellspan.core.objects.labels import renumber as core_renumber

pytestmark = pytest.mark.quick

# 1 touches the border, 2 is small, 3 is fine
LABELS = np.array(
    [
        [1, 1, 0, 0, 0, 0, 0],
        [1, 1, 0, 2, 0, 0, 0],
        [0, 0, 0, 0, 3, 3, 0],
        [0, 0, 0, 0, 3, 3, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    np.int32,
)
EVERYWHERE = np.ones(LABELS.shape, bool)


def test_the_three_stages() -> None:
    found = filter_objects(LABELS, EVERYWHERE, min_size=2, discard_border=True)
    np.testing.assert_array_equal(found.unedited_segmented, LABELS)
    np.testing.assert_array_equal(found.small_removed_segmented, np.where(LABELS == 2, 0, LABELS))
    np.testing.assert_array_equal(found.segmented, LABELS == 3)
    np.testing.assert_array_equal(discarded(found.small_removed_segmented, found.segmented), LABELS == 1)


def test_objects_at_the_border_stay_unless_asked() -> None:
    found = filter_objects(LABELS, EVERYWHERE, min_size=0, discard_border=False)
    np.testing.assert_array_equal(found.segmented, LABELS)


def test_nothing_is_left_outside_the_mask() -> None:
    mask = EVERYWHERE.copy()
    mask[:, 5:] = False
    found = filter_objects(LABELS, mask, min_size=0, discard_border=False)
    np.testing.assert_array_equal(found.segmented, np.where(mask, LABELS, 0))
    np.testing.assert_array_equal(found.unedited_segmented, np.where(mask, LABELS, 0))


def test_a_mask_has_a_border_too() -> None:
    mask = EVERYWHERE.copy()
    mask[:, 6:] = False
    assert not filter_objects(LABELS, mask, min_size=0, discard_border=True).segmented[2:4, 4:6].any()
    assert filter_objects(LABELS, EVERYWHERE, min_size=0, discard_border=True).segmented[2:4, 4:6].all()


def test_what_the_mask_leaves_of_an_object_counts_for_its_size() -> None:
    mask = EVERYWHERE.copy()
    mask[:, 5:] = False
    assert not filter_objects(LABELS, mask, min_size=3, discard_border=False).segmented[2:4, 4].any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 1)])
def test_tiny_images(shape: tuple[int, int]) -> None:
    labels, mask = np.ones(shape, np.int32), np.ones(shape, bool)
    assert filter_objects(labels, mask, 1, False).segmented.all()
    assert not filter_objects(labels, mask, 1, True).segmented.any()
    assert not filter_objects(0 * labels, mask, 1, True).segmented.any()
    assert not filter_objects(labels, ~mask, 1, True).segmented.any()


def test_the_border_of_an_image_is_its_frame() -> None:
    assert int(border_of(np.ones((5, 7), bool)).sum()) == 5 * 7 - 3 * 5


def test_the_border_of_a_volume_has_six_faces() -> None:
    assert int(border_of(np.ones((5, 7, 4), bool)).sum()) == 5 * 7 * 4 - 3 * 5 * 2
    assert border_of(np.ones((1, 7, 7), bool)).all(), "a single slice is all border"


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("end", [0, -1])
def test_objects_at_each_face_are_discarded(axis: int, end: int) -> None:
    labels = np.zeros((5, 6, 7), np.int32)
    labels[2, 2, 2] = 1
    np.moveaxis(labels, axis, 0)[end, 3, 3] = 2
    found = filter_objects(labels, np.ones(labels.shape, bool), 1, True)
    np.testing.assert_array_equal(found.segmented, labels == 1)
    # the same face of a mask
    padded = np.pad(labels, 1)
    found = filter_objects(padded, np.pad(np.ones(labels.shape, bool), 1), 1, True)
    np.testing.assert_array_equal(found.segmented, padded == 1)


def test_the_diameter_of_a_ball_counts_the_distance_of_the_slices() -> None:
    z, y, x = np.mgrid[-6:7, -20:21, -20:21]
    ball = np.hypot(np.hypot(z * 3, y), x) <= 15
    assert abs(across(np.array([ball.sum()]), 3, anisotropy=3)[0] - 30) < 0.3
    labels, everywhere = ball.astype(np.int32), np.ones(ball.shape, bool)
    assert filter_objects(labels, everywhere, 1, False, (29.0, 31.0), anisotropy=3).segmented.any()
    assert not filter_objects(labels, everywhere, 1, False, (29.0, 31.0)).segmented.any()


@given(
    arrays(np.int32, st.sampled_from([(9, 8), (4, 5, 4)]), elements=st.integers(0, 12)),
    st.integers(0, 9),
    st.booleans(),
)
def test_without_a_mask_it_is_what_the_engine_does(labels: np.ndarray, min_size: int, discard_border: bool) -> None:
    labels = core_renumber(labels)
    expected = keep(labels, np.bincount(labels.ravel(), minlength=1)[1:] >= max(min_size, 1))
    expected = drop_on_edges(expected) if discard_border else expected
    found = filter_objects(labels, np.ones(labels.shape, bool), min_size, discard_border).segmented
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.int32


def test_renumber_closes_gaps_in_order() -> None:
    np.testing.assert_array_equal(renumber(np.array([[0, 7, 3], [9, 3, 0]], np.int32)), [[0, 2, 1], [3, 1, 0]])
