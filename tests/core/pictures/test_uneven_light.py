"""Scaling by tiles: each part of the plane gets the scale that fits it."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.core.pictures.uneven_light import Tiles

pytestmark = pytest.mark.quick
PERCENTILES = (1.0, 99.0)


def maps(plane: np.ndarray, side: int, inside: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray] | None:
    tiles = Tiles((plane.shape[0], plane.shape[1]), side)
    return tiles.maps(tiles.grid(plane, inside, PERCENTILES)[None], float(np.ptp(plane)))


def test_light_that_falls_off_is_followed() -> None:
    light = np.linspace(1, 5, 300)[None]
    low, high = maps(np.random.default_rng(0).random((200, 300)) * light, 50)
    assert low.shape == high.shape == (200, 300)
    assert low.max() < 0.2
    middle = (slice(None), slice(40, -40))
    np.testing.assert_allclose(high[middle], np.broadcast_to(light, high.shape)[middle], rtol=0.2)


def test_a_tile_as_large_as_the_plane_is_the_whole_plane() -> None:
    plane = np.random.default_rng(0).integers(0, 1000, (40, 60))
    low, high = maps(plane, 60)
    expected = np.percentile(plane, PERCENTILES)
    assert (low[0, 0], high[0, 0]) == pytest.approx(tuple(expected))
    assert np.ptp(low) == np.ptp(high) == 0


def test_tiles_without_contrast_take_the_scale_of_the_nearest() -> None:
    plane = np.zeros((40, 200))
    plane[:, :100] = np.random.default_rng(0).random((40, 100))
    low, high = maps(plane, 40)
    assert (high - low).min() > 0.5


@pytest.mark.parametrize("factor", [1, 1e-6])
def test_only_a_plane_without_any_contrast_has_no_maps(factor: float) -> None:
    plane = np.zeros((40, 200))
    assert maps(plane, 40) is None
    plane[::2] = factor
    low, high = maps(plane, 40)
    np.testing.assert_allclose(high - low, factor, rtol=1e-5)


def test_what_lies_outside_changes_nothing() -> None:
    plane = np.random.default_rng(0).random((90, 120))
    inside = np.zeros(plane.shape, bool)
    inside[20:70, 10:60] = True  # some tiles have nothing of it
    other = np.where(inside, plane, np.inf)
    for found, expected in zip(maps(other[:], 30, inside) or (), maps(plane, 30, inside) or (), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_slices_without_contrast_do_not_weaken_the_others() -> None:
    plane = np.random.default_rng(0).random((60, 60))
    tiles = Tiles((60, 60), 30)
    grid = tiles.grid(plane, None, PERCENTILES)
    alone = tiles.maps(grid[None], 1.0)
    among_empty = tiles.maps(np.stack([np.zeros_like(grid), grid, np.zeros_like(grid)]), 1.0)
    np.testing.assert_allclose(np.stack(among_empty), np.stack(alone), rtol=1e-6)
