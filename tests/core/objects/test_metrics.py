"""Scores against cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array

from cellspan.core.errors import CellspanError
from cellspan.core.objects.metrics import (
    Matches,
    average_precision,
    best_pairs,
    intersection_over_union,
    match,
    shared_pixels,
)

pytestmark = pytest.mark.quick


def test_perfect_shifted_and_missing() -> None:
    true = np.zeros((10, 20), np.int32)
    true[2:6, 2:6], true[2:6, 10:14] = 1, 2
    assert average_precision(true, true).tolist() == [1, 1, 1]
    shifted = np.roll(true, 1, axis=1)  # IoU 12 / 20 = 0.6
    assert average_precision(true, shifted).tolist() == [1, 0, 0]
    one = np.where(true == 1, 7, 0)
    assert average_precision(true, one)[0] == 0.5


def test_matching_is_one_to_one() -> None:
    iou = csr_array(np.array([[0.6, 0.55], [0.58, 0.0]]))
    assert match(iou, 0.5) == Matches(2, 0, 0)  # the greedy choice of 0.6 would lose the second pair


def test_nothing_in_nothing_is_right() -> None:
    nothing = np.zeros((4, 4), np.int32)
    assert average_precision(nothing, nothing).tolist() == [1, 1, 1]
    some = nothing.copy()
    some[1, 1] = 1
    assert average_precision(some, nothing).tolist() == [0, 0, 0]
    assert average_precision(nothing, some).tolist() == [0, 0, 0]


def test_many_objects_need_no_table_of_all_pairs() -> None:
    true = np.arange(300 * 300).reshape(300, 300) + 1
    assert average_precision(true, true).tolist() == [1, 1, 1]
    assert average_precision(true, np.where(true % 2, true, 0))[0] == 0.5


def test_shapes_must_agree() -> None:
    with pytest.raises(CellspanError, match="one shape"):
        intersection_over_union(np.zeros((3, 3), int), np.zeros((3, 4), int))


@given(
    arrays(
        np.float64, st.tuples(st.integers(0, 6), st.integers(0, 6)), elements=st.floats(0, 1).map(lambda v: round(v, 3))
    )
)
def test_best_pairs_have_the_largest_sum(table: np.ndarray) -> None:
    rows, columns = best_pairs(csr_array(table), 0.25)
    chosen = table[rows, columns]
    assert (chosen >= 0.25).all()
    assert len(set(rows)) == len(rows) == len(set(columns))
    possible = np.where(table >= 0.25, table, 0)
    assert chosen.sum() == pytest.approx(possible[linear_sum_assignment(possible, maximize=True)].sum())


@given(*(arrays(np.int32, (4, 5), elements=st.integers(0, 3)) for _ in range(2)))
def test_shared_pixels_are_counted(first: np.ndarray, second: np.ndarray) -> None:
    counted = {(a, b): n for a, b, n in zip(*(part.tolist() for part in shared_pixels(first, second)), strict=True)}
    pairs = [(a, b) for a, b in zip(first.ravel().tolist(), second.ravel().tolist(), strict=True) if a and b]
    assert counted == {pair: pairs.count(pair) for pair in pairs}
