"""Label images: renumbering, pieces, holes, borders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import (
    areas,
    as_labels,
    diameters,
    drop_on_edges,
    fill_holes,
    largest_pieces,
    median_diameter,
    object_means,
    renumber,
    resize_labels,
)
from cellspan.core.pictures.resizing import resize

pytestmark = pytest.mark.quick
small_labels = arrays(np.int32, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 4))


@given(small_labels)
def test_renumber_closes_gaps_in_order(labels: np.ndarray) -> None:
    renumbered = renumber(labels)
    present = np.unique(labels[labels > 0])
    assert np.array_equal(np.unique(renumbered[renumbered > 0]), np.arange(1, len(present) + 1))
    for new, old in enumerate(present, 1):
        assert np.array_equal(renumbered == new, labels == old)


def test_renumber_with_huge_numbers() -> None:
    labels = np.array([[0, 2_000_000_000, 5]], np.int32)
    assert renumber(labels).tolist() == [[0, 2, 1]]


@given(small_labels)
def test_largest_pieces_agree_with_scipy(labels: np.ndarray) -> None:
    result = largest_pieces(labels)
    for label in range(1, 5):
        pieces, count = ndimage.label(labels == label)
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)
        sizes[0] = 0
        expected = pieces == np.argmax(sizes) if count else np.zeros(labels.shape, bool)
        assert np.array_equal(result == label, expected)


@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_holes_of_one_object_agree_with_scipy(mask: np.ndarray) -> None:
    filled = fill_holes(mask.astype(np.int32))
    # An object is 4-connected, so its background is 8-connected.
    expected = ndimage.binary_fill_holes(mask, structure=np.ones((3, 3)))
    assert np.array_equal(filled > 0, expected)


def test_an_enclosed_object_is_absorbed() -> None:
    labels = np.ones((7, 7), np.int32)
    labels[2:5, 2:5] = 2
    assert (fill_holes(labels) == 1).all()


def test_objects_on_the_border_are_dropped() -> None:
    labels = np.zeros((9, 9), np.int32)
    labels[0:3, 0:3], labels[4:6, 4:6], labels[8, 8] = 1, 2, 3
    dropped = drop_on_edges(labels)
    assert dropped.max() == 1
    assert (dropped[4:6, 4:6] == 1).all()


def test_median_diameter_of_a_disk() -> None:
    y, x = np.mgrid[:100, :100]
    assert median_diameter(((y - 50) ** 2 + (x - 50) ** 2 < 20**2).astype(np.int32)) == pytest.approx(40, rel=0.02)
    assert median_diameter(np.zeros((3, 3), np.int32)) == 0


@pytest.mark.parametrize("factor", [0.2, 0.37, 0.5, 0.83, 1.0, 1.5, 2.0, 3.3])
def test_resized_labels_lie_where_their_image_does(factor: float) -> None:
    y, x = np.mgrid[:120, :150]
    disk = ((y - 45) ** 2 + (x - 90) ** 2 < 25**2).astype(np.int32)
    shape = (round(120 * factor), round(150 * factor))
    image = resize(disk[None].astype(np.float32), shape)[0]
    centre_of_image = np.array(ndimage.center_of_mass(image))
    centre_of_labels = np.array(ndimage.center_of_mass(resize_labels(disk, shape)))
    # A quarter of a pixel is what remains where a centre lies on the line between two pixels.
    assert np.abs(centre_of_image - centre_of_labels).max() < 0.26


def test_resized_labels_are_whole_numbers_of_any_size() -> None:
    labels = np.array([[1, 2_000_000_001], [0, 3]], np.int32)
    assert np.array_equal(resize_labels(labels, (4, 6)), np.repeat(np.repeat(labels, 2, 0), 3, 1))
    assert np.array_equal(resize_labels(np.repeat(labels, 3, 1), (2, 2)), labels)


@pytest.mark.parametrize("wrong", [np.zeros(3), np.full((2, 2), 0.5), np.full((2, 2), np.nan), np.full((2, 2), -1)])
def test_what_is_no_label_image_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(CellspanError, match="label image"):
        as_labels(wrong)


def ball(shape: tuple[int, int, int], centre: tuple[float, float, float], radius: float) -> np.ndarray:
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < radius**2


def test_diameters_are_those_of_balls() -> None:
    labels = ball((40, 40, 40), (20, 20, 20), 12).astype(np.int32)
    assert diameters(labels)[0] == pytest.approx(24, rel=0.02)


def test_means_are_taken_over_all_slices() -> None:
    touching = np.zeros((12, 9, 20), np.int32)
    for k in range(8):
        touching[k : k + 4, k : k + 2, 2 * k : 2 * k + 2] = k + 1
    z = np.broadcast_to(np.arange(len(touching))[:, None, None], touching.shape)
    means = object_means(touching, z, areas(touching))
    np.testing.assert_allclose(means, [np.nonzero(touching == k)[0].mean() for k in range(1, 9)])
