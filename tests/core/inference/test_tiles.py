"""Tiles: they cover the image, blend exactly, and mirror images turn the flows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellspan.core.inference.tile_rules import TileRules
from cellspan.core.inference.tiles import MARGIN, predict_augmented, predict_tiled, tile_grid

pytestmark = pytest.mark.quick


class Gradient:
    """A stand-in network of known answer: finite differences of channel 0 as flows, channel 1 as probability."""

    device, batch, rules = "cpu", 3, TileRules()

    def encode(self, tiles: np.ndarray, beside: int = 0) -> tuple[np.ndarray, np.ndarray]:
        return tiles, np.ones((len(tiles), 4, tiles.shape[2] // 8, tiles.shape[3] // 8), np.float32)

    def decode(self, features: np.ndarray, style: np.ndarray, beside: int = 0) -> np.ndarray:
        assert np.linalg.norm(style) == pytest.approx(1)
        dy, dx = np.gradient(features[:, 0], axis=(1, 2))
        return np.stack([dy, dx, features[:, 1]], 1).astype(np.float32)


@given(st.integers(1, 700), st.integers(1, 700), st.sampled_from([None, 64, 192, 256]), st.floats(0.05, 0.5))
def test_every_pixel_lies_in_a_tile(height: int, width: int, tile: int | None, overlap: float) -> None:
    grid = tile_grid((height, width), tile, overlap)
    covered = np.zeros((height + 2 * MARGIN, width + 2 * MARGIN), bool)
    for y, x in grid.corners:
        assert y % 8 == x % 8 == 0  # so that all tiles are pooled alike
        covered[y : y + grid.y.side, x : x + grid.x.side] = True
    assert covered.all()
    assert grid.y.side % 64 == grid.x.side % 64 == 0


def test_the_cheapest_tiles_are_chosen() -> None:
    assert (tile_grid((1024, 1024)).x.side, len(tile_grid((1024, 1024)).corners)) == (384, 9)
    assert (tile_grid((360, 360)).x.side, len(tile_grid((360, 360)).corners)) == (448, 1)
    assert tile_grid((40, 1000)).y.side == 128


@pytest.mark.parametrize("shape", [(1, 1), (17, 33), (64, 300), (500, 410)])
def test_blending_gives_back_what_tiles_agree_on(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    image = rng.random((2, *shape), np.float32)
    outputs, style = predict_tiled(Gradient(), image, tile=64)
    assert outputs.shape == (3, *shape)
    assert outputs[2] == pytest.approx(image[1], abs=1e-5)
    assert np.linalg.norm(style) == pytest.approx(1)


def test_mirror_images_agree() -> None:
    y, x = np.mgrid[:50, :70].astype(np.float32)
    image = np.stack([0.3 * y - 0.7 * x, y * x])
    once, _ = predict_tiled(Gradient(), image)
    averaged, _ = predict_augmented(Gradient(), image)
    inner = (slice(None), slice(2, -2), slice(2, -2))
    assert averaged[inner] == pytest.approx(once[inner], abs=1e-3)


def test_progress_ends_at_one() -> None:
    seen: list[float] = []
    predict_tiled(Gradient(), np.zeros((2, 300, 300), np.float32), tile=128, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1
