"""Scores against cases worked out by hand."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from cellspan.core.errors import CellspanError
from cellspan.core.metrics import Matches, average_precision, intersection_over_union, match

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
