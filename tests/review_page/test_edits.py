"""Corrections by hand: the pixels that they change, the numbers that stay, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellspan.core.errors import CellspanError
from cellspan.review_page.edits import delete, draw, merge, split

pytestmark = pytest.mark.quick


def test_delete(disks: np.ndarray) -> None:
    labels, changed = delete(disks, [2])
    assert changed == [2]
    np.testing.assert_array_equal(labels, np.where(disks == 2, 0, disks))


def test_merge_takes_the_lowest_number(disks: np.ndarray) -> None:
    labels, changed = merge(disks, [2, 1, 2])
    assert changed == [1, 2]
    np.testing.assert_array_equal(labels, np.where(disks == 2, 1, disks))


def test_the_given_labels_stay(disks: np.ndarray) -> None:
    before = disks.copy()
    delete(disks, [1])
    merge(disks, [1, 2])
    split(disks, 1, [30, 0, 30, 79])
    draw(disks, [0, 0, 9, 0, 9, 9])
    np.testing.assert_array_equal(disks, before)


def test_split_along_a_line(disks: np.ndarray) -> None:
    labels, changed = split(disks, 1, [30.5, 5, 30.5, 60])
    assert changed == [1, 4]
    assert set(np.unique(labels[disks == 1])) == {1, 4}  # no pixel is lost
    np.testing.assert_array_equal(labels[disks != 1], disks[disks != 1])
    sides = [np.nonzero(labels == number)[1] for number in (1, 4)]
    assert max(sides[0]) <= 30 <= min(sides[1]) or max(sides[1]) <= 30 <= min(sides[0])
    assert np.count_nonzero(labels == 1) >= np.count_nonzero(labels == 4)


def test_a_line_that_ends_within_goes_on(disks: np.ndarray) -> None:
    labels, _ = split(disks, 1, [28, 28, 32, 32])
    assert abs(np.count_nonzero(labels == 1) - np.count_nonzero(labels == 4)) < 60


@given(angle=st.floats(0, np.pi), bend=st.floats(-3, 3))
def test_a_line_across_divides_at_every_angle(angle: float, bend: float) -> None:
    y, x = np.mgrid[:50, :50]
    disk = ((y - 25) ** 2 + (x - 25) ** 2 < 15**2).astype(np.int32)
    way = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-way[1], way[0]])
    points = [25 + 20 * part * way + (bend * across if part == 0 else 0) for part in (-1, 0, 1)]
    labels, changed = split(disk, 1, np.concatenate(points).tolist())
    assert len(changed) == 2
    assert ((labels > 0) == (disk > 0)).all()


def test_a_line_beside_it_is_refused(disks: np.ndarray) -> None:
    with pytest.raises(CellspanError, match="does not divide"):
        split(disks, 1, [0, 0, 0, 70])


def test_split_through_all_slices(disks: np.ndarray) -> None:
    labels, changed = split(np.stack([disks] * 3), 1, [30.5, 5, 30.5, 60])
    assert changed == [1, 4]
    for plane in labels[1:]:
        np.testing.assert_array_equal(plane, labels[0])


def test_draw_takes_only_what_is_free(disks: np.ndarray) -> None:
    labels, changed = draw(disks, [0, 0, 60, 0, 60, 40, 0, 40])
    assert changed == [4]
    np.testing.assert_array_equal(labels[disks > 0], disks[disks > 0])
    np.testing.assert_array_equal(labels[:40, :60] == 4, disks[:40, :60] == 0)
    assert not (labels[40:] == 4).any()


def test_draw_in_one_slice(disks: np.ndarray) -> None:
    labels, _ = draw(np.stack([disks] * 3), [90, 0, 99, 0, 99, 9], z=1)
    assert [bool((plane == 4).any()) for plane in labels] == [False, True, False]


def test_draw_where_all_is_taken(disks: np.ndarray) -> None:
    with pytest.raises(CellspanError, match="no free pixel"):
        draw(disks, [29, 29, 31, 29, 31, 31])


@pytest.mark.parametrize(
    ("correct", "words"),
    [
        (lambda labels: delete(labels, [9]), "no object 9"),
        (lambda labels: delete(labels, []), "Select an object"),
        (lambda labels: merge(labels, [1]), "at least two"),
        (lambda labels: merge(labels, [1, 8]), "no object 8"),
        (lambda labels: split(labels, 0, [0, 0, 1, 1]), "no object 0"),
        (lambda labels: split(labels, 1, [0, 0]), "at least 2 points"),
        (lambda labels: split(labels, 1, [0, 0, 1]), "at least 2 points"),
        (lambda labels: draw(labels, [0, 0, 1, 1]), "at least 3 points"),
        (lambda labels: draw(labels, [0, 0, 1, 1, 2, float("nan")]), "must be numbers"),
        (lambda labels: draw(labels, [0, 0, 1, 1, 2, 1e300]), "must be numbers"),
    ],
)
def test_what_is_refused(correct: object, words: str, disks: np.ndarray) -> None:
    with pytest.raises(CellspanError, match=words):
        correct(disks)
