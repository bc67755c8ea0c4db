"""Blocks cover the grid once, see their neighbours, and objects on their borders are one where both agree."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellspan.core.volumes import blocks
from cellspan.core.volumes.blocks import HALO, Block, Borders, plan_blocks

pytestmark = pytest.mark.quick
SHAPE = (6, 40, 200)


@given(st.tuples(*(st.integers(1, 300),) * 3), st.integers(20, 200))
def test_cores_cover_the_grid_once_and_wholes_reach_beyond(shape: tuple[int, int, int], core: int) -> None:
    planned = plan_blocks(shape, core)
    assert sum(math.prod(part.stop - part.start for part in block.core) for block in planned) == math.prod(shape)
    assert [block.number for block in planned] == sorted({block.number for block in planned})
    for block in planned:
        for part, whole, size in zip(block.core, block.whole, shape, strict=True):
            assert (whole.start, whole.stop) == (max(0, part.start - HALO), min(size, part.stop + HALO))
            assert part.stop - part.start <= 2 * core


def test_small_grids_are_one_block_and_large_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(plan_blocks(SHAPE)) == 1
    monkeypatch.setattr(blocks, "SINGLE", math.prod(SHAPE) - 1)
    monkeypatch.setattr(blocks, "CORE", 100)
    assert len(plan_blocks(SHAPE)) == 2


def joined(found: list[np.ndarray], planned: list[Block]) -> list[int]:
    """The objects that labels 0..n of two blocks belong to; the second block's labels are numbered on."""
    last = 0
    with Borders(planned) as borders:
        for block, labels in zip(planned, found, strict=True):
            own = np.where(labels > 0, labels + last, 0).astype(np.int32)
            last = max(last, int(own.max()))
            borders.add(block, own)
        return borders.roots(last).tolist()


@pytest.fixture
def two() -> list[Block]:
    planned = plan_blocks(SHAPE, 100)
    assert [block.core[2] for block in planned] == [slice(0, 100), slice(100, 200)]
    return planned


def seen_by(block: Block, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Objects at y0, y1, x0, x1 of the grid as far as the block sees them, numbered 1, 2, ..."""
    grid = np.zeros(SHAPE, np.int32)
    for number, (y0, y1, x0, x1) in enumerate(boxes, 1):
        grid[:, y0:y1, x0:x1] = number
    return grid[block.whole]


def test_an_object_that_both_blocks_see_alike_is_one(two: list[Block]) -> None:
    across, left, right = (5, 15, 90, 110), (20, 30, 10, 20), (20, 30, 180, 190)
    found = [seen_by(two[0], across, left), seen_by(two[1], right, across)]
    assert joined(found, two) == [0, 1, 2, 3, 1]


def test_objects_that_overlap_by_less_than_agreed_stay_two(two: list[Block]) -> None:
    found = [seen_by(two[0], (5, 15, 90, 110)), seen_by(two[1], (11, 21, 90, 110))]
    assert joined(found, two) == [0, 1, 2]


def test_what_one_block_divides_and_the_other_does_not(two: list[Block]) -> None:
    """The larger half agrees with the whole; the smaller one is an object of its own."""
    found = [seen_by(two[0], (5, 15, 90, 110)), seen_by(two[1], (5, 13, 90, 110), (13, 15, 90, 110))]
    assert joined(found, two) == [0, 1, 1, 2]


def test_nothing_is_left_on_disk(two: list[Block]) -> None:
    with Borders(two) as borders:
        folder = Path(borders._folder.name)
        borders.add(two[0], seen_by(two[0]))
        assert len(list(folder.iterdir())) == 1
        borders.add(two[1], seen_by(two[1]))
        assert not list(folder.iterdir())
        assert borders.roots(0).tolist() == [0]
    assert not folder.exists()
