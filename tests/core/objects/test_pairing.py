"""Cells and nuclei as pairs, and what becomes of those that have no partner."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.core.objects.pairing import DISCARD, KEEP, pair

pytestmark = pytest.mark.quick

CELLS = np.zeros((8, 24), np.int32)
CELLS[1:7, 1:7], CELLS[1:7, 9:15] = 1, 2  # the second one has no nucleus
NUCLEI = np.zeros_like(CELLS)
NUCLEI[3:5, 3:5], NUCLEI[2:4, 18:20] = 5, 3  # 3 lies in no cell


def flows() -> np.ndarray:
    raise AssertionError("only a split needs them")


def test_a_cell_and_its_nucleus_have_one_number() -> None:
    pairs = pair(CELLS, NUCLEI, DISCARD, KEEP, DISCARD, flows)
    np.testing.assert_array_equal(pairs.cells, CELLS == 1)
    np.testing.assert_array_equal(pairs.nuclei, NUCLEI == 5)
    np.testing.assert_array_equal(pairs.cytoplasm, (CELLS == 1) & (NUCLEI == 0))
    assert (list(pairs.found_cell), list(pairs.found_nucleus)) == ([1], [5])


def test_those_without_a_partner_may_stay() -> None:
    pairs = pair(CELLS, NUCLEI, KEEP, KEEP, KEEP, flows)
    assert (pairs.cells.max(), pairs.nuclei.max()) == (2, 2)
    assert list(pairs.nucleus_of_cell) == [1, 0]
    assert list(pairs.nuclei_in_cell) == [1, 0]


def test_a_cell_with_several_nuclei_keeps_the_one_of_which_it_covers_most() -> None:
    nuclei = NUCLEI.copy()
    nuclei[1:2, 1:2] = 6
    pairs = pair(CELLS, nuclei, DISCARD, KEEP, DISCARD, flows)
    assert list(pairs.found_nucleus) == [5, 6]  # the one of the cell first
    assert list(pairs.nucleus_of_cell) == [1]
    assert list(pairs.nuclei_in_cell) == [2]
    assert pair(CELLS, nuclei, DISCARD, DISCARD, DISCARD, flows).cells.max() == 0
