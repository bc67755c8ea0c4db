"""Objects keep their numbers through time, daughters and newcomers get new ones, and no pixel changes its object."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellspan.core.errors import CellspanError
from cellspan.core.objects.linking import link_frames, link_tracks

pytestmark = pytest.mark.quick


def field(*boxes: tuple[int, int, int, int], shape: tuple[int, int] = (40, 60)) -> np.ndarray:
    """Boxes y0, x0, y1, x1 as labels 1, 2, ..."""
    labels = np.zeros(shape, np.int32)
    for number, (y0, x0, y1, x1) in enumerate(boxes, 1):
        labels[y0:y1, x0:x1] = number
    return labels


def test_objects_that_move_keep_their_numbers_in_any_order() -> None:
    first = field((2, 2, 12, 12), (20, 20, 30, 32))
    second = field((21, 22, 31, 34), (3, 4, 13, 14))
    linked = link_frames([first, second])
    np.testing.assert_array_equal(linked[0], first)
    assert linked[1][25, 28] == 2
    assert linked[1][8, 8] == 1


def test_daughters_get_new_numbers_and_keep_them() -> None:
    mother = field((10, 10, 20, 30), (30, 40, 38, 50))
    daughters = field((10, 10, 20, 19), (10, 21, 20, 30), (30, 40, 38, 50))
    linked = link_frames([mother, daughters, daughters])
    assert [set(np.unique(frame)) - {0} for frame in linked] == [{1, 2}, {2, 3, 4}, {2, 3, 4}]


def test_daughters_know_their_mother() -> None:
    mother = field((10, 10, 20, 30), (30, 40, 38, 50))
    daughters = field((10, 10, 20, 19), (10, 21, 20, 30), (30, 40, 38, 50), (1, 1, 5, 5))
    thirds = field((10, 10, 14, 19), (15, 10, 20, 19), (10, 21, 20, 30), (30, 40, 38, 50), (1, 1, 5, 5))
    tracks = link_tracks([mother * 5, daughters, thirds])
    assert [table.tolist() for table in tracks.tables[1:]] == [[0, 11, 12, 10, 13], [0, 14, 15, 12, 10, 13]]
    assert tracks.parents == {11: 5, 12: 5, 14: 11, 15: 11}, "whoever comes into view has no mother"


def test_a_piece_that_breaks_off_is_new_and_the_rest_stays() -> None:
    """Half of an object is not two daughters that both lie in it: a fragment beside it does not end its track."""
    linked = link_frames([field((10, 10, 20, 30)), field((10, 10, 20, 28), (10, 29, 20, 45))])
    assert linked[1][15, 15] == 1
    assert linked[1][15, 40] == 2


def test_two_that_merge_continue_the_larger_one() -> None:
    linked = link_frames([field((10, 10, 20, 18), (10, 18, 20, 40)), field((10, 10, 20, 40))])
    assert set(np.unique(linked[1])) == {0, 2}


def test_newcomers_and_those_that_come_back_are_new() -> None:
    empty = field()
    one = field((5, 5, 15, 15))
    linked = link_frames([one, empty, one, field((5, 5, 15, 15), (25, 25, 35, 35))])
    assert [int(frame.max()) for frame in linked] == [1, 0, 2, 3]
    assert linked[3][10, 10] == 2


def test_who_jumps_is_another() -> None:
    assert link_frames([field((5, 5, 15, 15)), field((5, 14, 15, 24))])[1].max() == 2


def test_volumes() -> None:
    volume = np.stack([field((5, 5, 15, 15))] * 3)
    np.testing.assert_array_equal(link_frames([volume, volume])[1], volume)


def test_missing_numbers_stay_missing() -> None:
    first = field((5, 5, 15, 15)) * 7
    np.testing.assert_array_equal(link_frames([first, first])[1], first)


def test_no_frames_and_frames_of_different_shapes() -> None:
    assert link_frames([]) == []
    with pytest.raises(CellspanError, match="one shape"):
        link_tracks([field(), field(shape=(9, 9))])


@given(st.lists(arrays(np.int32, (5, 6), elements=st.integers(0, 4)), min_size=1, max_size=4))
def test_no_pixel_changes_its_object(frames: list[np.ndarray]) -> None:
    """Numbers are exchanged one for one: no two objects of a frame get one number, none gets 0."""
    for before, after in zip(frames, link_frames(frames), strict=True):
        assert after.dtype == np.int32
        pairs = {(int(a), int(b)) for a, b in zip(before.ravel(), after.ravel(), strict=True)}
        assert len({a for a, _ in pairs}) == len(pairs) == len({b for _, b in pairs})
        assert all((a == 0) == (b == 0) for a, b in pairs)
