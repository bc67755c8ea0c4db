"""Parts of the grid fit together, and what is constant or linear stays so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellspan.core.volumes.resampling import Axis, Grid

pytestmark = pytest.mark.quick
sizes = st.integers(1, 40)


def whole(grid: Grid) -> tuple[slice, slice, slice]:
    z, y, x = (slice(0, size) for size in grid.shape)
    return z, y, x


@given(sizes, sizes, st.integers(0, 40))
def test_parts_of_the_image_are_a_partition(length: int, size: int, cut: int) -> None:
    axis, cut = Axis(length, size), min(cut, size)
    first, second = axis.part(slice(0, cut)), axis.part(slice(cut, size))
    assert (first.start, second.stop) == (0, length)
    assert first.stop == second.start


@given(st.tuples(sizes, sizes, sizes), st.tuples(sizes, sizes, sizes), st.integers(0, 2**32 - 1))
def test_a_part_of_the_grid_is_the_same_as_in_the_whole(
    lengths: tuple[int, int, int], shape: tuple[int, int, int], seed: int
) -> None:
    random = np.random.default_rng(seed)
    grid = Grid(*(Axis(length, size) for length, size in zip(lengths, shape, strict=True)))
    image = random.random(lengths, dtype=np.float32)
    everything = grid.resampled(image, whole(grid))
    assert everything.shape == shape
    cuts = [sorted(random.integers(0, size + 1, 2)) for size in shape]
    box = tuple(slice(int(a), int(b)) if b > a else slice(0, size) for (a, b), size in zip(cuts, shape, strict=True))
    part = grid.resampled(image[grid.region(box)], box)
    np.testing.assert_allclose(part, everything[box], atol=1e-5)


def test_a_slope_stays_a_slope() -> None:
    grid = Grid(Axis(10, 50), Axis(40, 40), Axis(40, 20))
    z, y, x = np.mgrid[:10, :40, :40].astype(np.float32)
    found = grid.resampled(5 * z + y + x, whole(grid))
    gz, gy, gx = np.mgrid[:50, :40, :20]
    expected = (gz - 2) + gy + (2 * gx + 0.5)
    np.testing.assert_allclose(found[5:-5, :, 2:-2], expected[5:-5, :, 2:-2], atol=1e-3)
    back = grid.values_at(found, whole(grid), (slice(2, 8), slice(3, 9), slice(6, 30)))
    np.testing.assert_allclose(back, (5 * z + y + x)[2:8, 3:9, 6:30], atol=1e-3)


def test_a_ball_on_a_coarse_grid_is_a_ball_in_the_image() -> None:
    grid = Grid(Axis(40, 20), Axis(40, 20), Axis(40, 20))
    z, y, x = np.mgrid[:20, :20, :20] - 9.5
    ball = (z**2 + y**2 + x**2 < 6**2).astype(np.int32) * 7
    everything = slice(0, 40)
    found = grid.labels_at(ball, whole(grid), (everything, everything, everything))
    z, y, x = np.mgrid[:40, :40, :40] - 19.5
    expected = z**2 + y**2 + x**2 < 12**2
    assert set(np.unique(found)) == {0, 7}
    assert ((found == 7) & expected).sum() / ((found == 7) | expected).sum() > 0.9


def test_labels_of_a_part_are_those_of_the_whole() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, (12, 30, 30)).astype(np.int32)
    grid = Grid(Axis(4, 12), Axis(45, 30), Axis(30, 30))
    everything = tuple(slice(0, axis.length) for axis in grid.axes)
    expected = grid.labels_at(labels, whole(grid), everything)
    box, image = (slice(2, 12), slice(5, 25), slice(0, 20)), (slice(1, 4), slice(12, 30), slice(3, 15))
    found = grid.labels_at(labels[box], box, image)
    np.testing.assert_array_equal(found, expected[image])
