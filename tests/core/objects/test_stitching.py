"""Slices are joined by the best matching, and a fault in one slice only does not end an object."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import renumber
from cellspan.core.objects.metrics import average_precision
from cellspan.core.objects.stitching import mended, stitch
from cellspan.core.training.simulate.volumes import simulated_volume

pytestmark = pytest.mark.quick


def plane(*boxes: tuple[int, int, int, int], shape: tuple[int, int] = (30, 60)) -> np.ndarray:
    """Boxes y0, x0, y1, x1 as labels 1, 2, ..."""
    labels = np.zeros(shape, np.int32)
    for number, (y0, x0, y1, x1) in enumerate(boxes, 1):
        labels[y0:y1, x0:x1] = number
    return labels


LEFT, RIGHT = (5, 5, 25, 25), (5, 25, 25, 45)
BOTH = (5, 5, 25, 45)


def stitched(*planes: np.ndarray, threshold: float = 0.25) -> np.ndarray:
    return np.stack(list(stitch(planes, threshold)))


def test_objects_keep_their_numbers_whatever_they_were_called_in_their_slice() -> None:
    volume = stitched(plane(LEFT, RIGHT), plane(RIGHT, LEFT) * 7, plane(LEFT, RIGHT))
    np.testing.assert_array_equal(volume, np.stack([plane(LEFT, RIGHT)] * 3))


def test_who_overlaps_less_than_the_threshold_is_new() -> None:
    first, second = plane((5, 5, 25, 25)), plane((5, 15, 25, 35))  # IoU 1/3
    assert stitched(first, second, threshold=0.3).max() == 1
    assert stitched(first, second, threshold=0.35).max() == 2
    assert stitched(first, plane(), first, threshold=1.0).max() == 1


def test_the_matching_is_the_best_for_all_not_the_greediest() -> None:
    first = plane((0, 0, 10, 20), (0, 20, 10, 50))
    second = plane((0, 5, 10, 42), (0, 42, 10, 58))
    # IoU of 1-1: 15 / 42, of 2-1: 22 / 45, of 2-2: 8 / 38. The largest first would leave 1 without a partner.
    np.testing.assert_array_equal(stitched(first, second, threshold=0.2)[1], second)


def test_a_gap_of_one_slice_is_bridged_where_both_neighbours_are() -> None:
    moved = plane((7, 8, 27, 28))
    volume = stitched(plane(LEFT), plane(), moved)
    assert set(np.unique(volume)) == {0, 1}
    np.testing.assert_array_equal(volume[1] > 0, plane((7, 8, 25, 25)) > 0)


def test_a_gap_is_not_filled_where_another_object_is() -> None:
    other = (5, 20, 25, 45)
    volume = stitched(plane(LEFT), plane(other), plane(LEFT))
    np.testing.assert_array_equal(volume[1] == 2, plane(other) > 0)
    np.testing.assert_array_equal(volume[1] == 1, plane((5, 5, 25, 20)) > 0)


def test_what_is_left_of_an_object_is_filled_up() -> None:
    volume = stitched(plane(LEFT), plane((5, 5, 9, 9)), plane(LEFT))
    np.testing.assert_array_equal(volume, np.stack([plane(LEFT)] * 3))


def test_gaps_of_two_slices_and_at_the_ends_stay() -> None:
    assert stitched(plane(LEFT), plane(), plane(), plane(LEFT)).max() == 2
    assert not stitched(plane(), plane(LEFT), plane())[[0, 2]].any()


def test_an_object_in_pieces_in_one_slice_is_joined() -> None:
    volume = stitched(plane(BOTH), plane(LEFT, RIGHT), plane(BOTH))
    np.testing.assert_array_equal(volume, np.stack([plane(BOTH)] * 3))


def test_two_objects_that_are_one_in_one_slice_are_divided() -> None:
    volume = stitched(plane(LEFT, RIGHT), plane((4, 3, 26, 47)), plane(LEFT, RIGHT))
    np.testing.assert_array_equal(volume[[0, 2]], np.stack([plane(LEFT, RIGHT)] * 2))
    np.testing.assert_array_equal(volume[1], plane((4, 3, 26, 25), (4, 25, 26, 47)))


def test_one_plane_may_have_all_faults_at_once() -> None:
    def far(*boxes: tuple[int, int, int, int]) -> np.ndarray:
        return plane(*boxes, shape=(30, 200))

    right = far(LEFT, RIGHT, (5, 60, 25, 80), (5, 100, 25, 140), (5, 150, 25, 170))
    wrong = far(BOTH, (5, 100, 25, 115), (5, 115, 25, 140), (5, 150, 25, 170))
    np.testing.assert_array_equal(stitched(right, wrong, right), np.stack([right] * 3))


def test_two_that_become_one_for_good_are_left_as_they_are() -> None:
    two, one = plane(LEFT, RIGHT), plane(BOTH)
    for planes in ([two, two, one, one], [one, one, two, two]):
        volume = stitched(*planes)
        for found, wanted in zip(volume, planes, strict=True):
            np.testing.assert_array_equal(found > 0, wanted > 0)
            assert len(np.unique(found)) == len(np.unique(wanted))


SMALL_END = (10, 10, 16, 16)  # 36 of the 400 pixels of LEFT


def test_small_ends_belong_to_the_object_they_lie_in() -> None:
    volume = stitched(plane(SMALL_END), plane(LEFT), plane(LEFT), plane(SMALL_END))
    assert volume.max() == 1
    apart = stitched(plane((10, 22, 16, 28)), plane(LEFT), plane(LEFT))  # half of it lies outside
    assert apart.max() == 2


def test_a_small_section_that_goes_on_is_no_end() -> None:
    beneath = stitched(plane(LEFT), plane(LEFT), plane(SMALL_END), plane(SMALL_END))
    above = stitched(plane(SMALL_END), plane(SMALL_END), plane(LEFT), plane(LEFT))
    assert beneath.max() == above.max() == 2


def test_an_end_does_not_take_the_place_of_the_object_itself() -> None:
    """What lies within an object that goes on to something else is another object."""
    both = plane(LEFT)
    both[10:16, 10:16] = 2
    volume = stitched(plane(LEFT), both, plane(LEFT), threshold=0.5)
    assert set(np.unique(volume[[0, 2]])) == {0, 1}


def shuffled(labels: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Each slice with numbers 1..n of its own."""
    planes = [renumber(one) for one in labels]
    return [np.append(0, 1 + rng.permutation(one.max())).astype(np.int32)[one] for one in planes]


def damaged(planes: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Every second slice without a tenth of its objects, and another tenth of them cut in two."""
    result = [one.copy() for one in planes]
    for one in result[1::2]:
        for label in range(1, int(one.max()) + 1):
            own, fate = one == label, rng.random()
            if fate < 0.1:
                one[own] = 0
            elif fate < 0.2:
                right = np.arange(one.shape[1]) > np.median(np.nonzero(own)[1])
                one[own & right] = one.max() + 1
    return result


@pytest.mark.parametrize("anisotropy", [1.0, 4.0])
def test_slices_of_nuclei_become_the_nuclei_again(anisotropy: float) -> None:
    """Even if many slices are wrong; a fault in an object's first or last slice cannot be told from its shape."""
    labels = simulated_volume(1, (24, 160, 160), anisotropy, 24)[1]
    rng = np.random.default_rng(0)
    planes = shuffled(labels, rng)
    assert average_precision(labels, stitched(*planes))[0] > 0.95
    assert average_precision(labels, stitched(*damaged(planes, rng)))[0] > 0.8


def test_planes_come_one_later_than_they_are_asked_for() -> None:
    asked = []

    def planes() -> Iterator[np.ndarray]:
        for z in range(5):
            asked.append(z)
            yield plane(LEFT)

    for z, _ in enumerate(stitch(planes(), 0.5)):
        assert asked[-1] == min(z + 1, 4)
    assert asked == list(range(5))


def test_nothing_one_plane_and_planes_of_different_shapes() -> None:
    assert list(stitch([], 0.5)) == []
    np.testing.assert_array_equal(stitched(plane(LEFT) * 9), plane(LEFT)[None])
    assert stitched(plane(), plane(), plane()).max() == 0
    with pytest.raises(CellspanError, match="one shape"):
        stitched(plane(LEFT), plane(LEFT, shape=(31, 60)))


SMALL = arrays(np.int32, (5, 6), elements=st.integers(0, 4))


@given(SMALL, SMALL, st.sampled_from([0.01, 0.25, 0.5, 1.0]))
def test_two_planes_keep_all_their_objects(first: np.ndarray, second: np.ndarray, threshold: float) -> None:
    """Without a plane between two others nothing is mended, so numbers are exchanged one for one."""
    for before, found in zip((first, second), stitched(first, second, threshold=threshold), strict=True):
        pairs = set(zip(before.ravel().tolist(), found.ravel().tolist(), strict=True))
        assert len({a for a, _ in pairs}) == len(pairs) == len({b for _, b in pairs})
        assert all((a == 0) == (b == 0) for a, b in pairs)


@given(st.lists(SMALL, min_size=3, max_size=6), st.sampled_from([0.01, 0.25, 0.5, 1.0]))
def test_numbers_have_no_gaps_and_no_pixel_is_lost(planes: list[np.ndarray], threshold: float) -> None:
    volume = stitched(*planes, threshold=threshold)
    assert volume.dtype == np.int32
    assert (volume[np.stack(planes) > 0] > 0).all()
    assert np.array_equal(np.union1d(volume, [0]), np.arange(volume.max() + 1))


@given(SMALL, SMALL)
def test_a_plane_like_its_neighbours_is_left_alone(first: np.ndarray, second: np.ndarray) -> None:
    first, second = renumber(first), renumber(second)
    np.testing.assert_array_equal(mended(first, first, first, 0.5), first)
    np.testing.assert_array_equal(mended(second, first, np.zeros_like(first), 0.5), first)
