"""Images of any size through a network that sees tiles: cutting, blending with tapered weights, mean style."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellspan.core.images import Floats
from cellspan.core.inference.predictor import TILE, Predictor

MULTIPLE = 64  # sides of tiles: the network halves them three times; coarser, so that few sizes are compiled
# Black pixels around the image, as in training: without them, objects at the border look cut by a tile, and with mirror
# images instead they look whole; either way their flows lead out of the image.
MARGIN = 16
OnProgress = Callable[[float], None]


@dataclass(frozen=True)
class Grid:
    """Where tiles lie in a padded image."""

    tile: tuple[int, int]
    starts: list[tuple[int, int]]
    padded: tuple[int, int]


def tile_grid(shape: tuple[int, int], tile: int | None, overlap: float) -> Grid:
    """Tiles spread evenly over the image; along a side shorter than a tile, the tile shrinks to that side."""
    side = _round_up(tile or TILE)
    tiles = [min(side, _round_up(length)) for length in shape]
    padded = [max(length, t) for length, t in zip(shape, tiles, strict=True)]
    starts = [_starts(length, t, overlap) for length, t in zip(padded, tiles, strict=True)]
    return Grid((tiles[0], tiles[1]), [(y, x) for y in starts[0] for x in starts[1]], (padded[0], padded[1]))


def _round_up(length: int) -> int:
    return -(-length // MULTIPLE) * MULTIPLE


def _starts(length: int, tile: int, overlap: float) -> list[int]:
    if length == tile:
        return [0]
    count = 1 + int(np.ceil((length - tile) / (tile * (1 - overlap))))
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def predict_tiled(
    predictor: Predictor,
    image: Floats,
    tile: int | None = None,
    overlap: float = 0.1,
    on_progress: OnProgress | None = None,
) -> tuple[Floats, Floats]:
    """Image (2, Y, X) -> outputs (3, Y, X), blended over the tiles, and the mean style (S,) of unit length."""
    grid, padded = _padded(image, tile, overlap)
    weight = _taper(grid.tile, overlap)
    total = np.zeros((3, *grid.padded), np.float32)
    weights = np.zeros(grid.padded, np.float32)
    style_sum: NDArray[np.float64] | float = 0.0
    height, width = grid.tile
    done = 0
    for group, outputs, styles in _predictions(predictor, padded, grid.tile, grid.starts):
        for (y, x), output in zip(group, outputs, strict=True):
            total[:, y : y + height, x : x + width] += output * weight
            weights[y : y + height, x : x + width] += weight
        style_sum = style_sum + styles.sum(axis=0, dtype=np.float64)
        done += len(group)
        if on_progress:
            on_progress(done / len(grid.starts))
    total /= weights
    inner = (slice(None), slice(MARGIN, MARGIN + image.shape[1]), slice(MARGIN, MARGIN + image.shape[2]))
    return np.ascontiguousarray(total[inner]), _unit(np.asarray(style_sum))


def predict_augmented(
    predictor: Predictor,
    image: Floats,
    tile: int | None = None,
    overlap: float = 0.1,
    on_progress: OnProgress | None = None,
) -> tuple[Floats, Floats]:
    """As `predict_tiled`, averaged over the image and its mirror images along y, x and both."""
    total: Floats | None = None
    style_sum = np.zeros(1)
    flips = [(1, 1), (-1, 1), (1, -1), (-1, -1)]
    for k, (sy, sx) in enumerate(flips):
        report = (lambda part, k=k: on_progress((k + part) / len(flips))) if on_progress else None
        outputs, style = predict_tiled(predictor, np.ascontiguousarray(image[:, ::sy, ::sx]), tile, overlap, report)
        # A mirrored image has mirrored flows.
        turned = outputs[:, ::sy, ::sx] * np.array([sy, sx, 1], np.float32)[:, None, None]
        total = turned if total is None else total + turned
        style_sum = style_sum + style
    assert total is not None
    return total / np.float32(len(flips)), _unit(style_sum)


def sample_style(predictor: Predictor, image: Floats, most: int = 9) -> Floats:
    """The mean style (S,) of at most `most` tiles spread over the image (2, Y, X)."""
    grid, padded = _padded(image, None, 0.1)
    chosen = np.unique(np.linspace(0, len(grid.starts) - 1, min(most, len(grid.starts))).round().astype(int))
    starts = [grid.starts[i] for i in chosen]
    styles = [styles for _, _, styles in _predictions(predictor, padded, grid.tile, starts)]
    return _unit(np.concatenate(styles).sum(axis=0, dtype=np.float64))


def _predictions(
    predictor: Predictor, padded: Floats, tile: tuple[int, int], starts: list[tuple[int, int]]
) -> Iterator[tuple[list[tuple[int, int]], Floats, Floats]]:
    """The tiles' starts, outputs and styles, in groups of the size that the predictor likes."""
    height, width = tile
    for i in range(0, len(starts), predictor.batch):
        group = starts[i : i + predictor.batch]
        outputs, styles = predictor.predict(np.stack([padded[:, y : y + height, x : x + width] for y, x in group]))
        yield group, outputs, styles


def _padded(image: Floats, tile: int | None, overlap: float) -> tuple[Grid, Floats]:
    """The image with black around it, MARGIN above and on the left, and the tiles that cover it."""
    height, width = (side + 2 * MARGIN for side in image.shape[1:])
    grid = tile_grid((height, width), tile, overlap)
    below, right = (MARGIN + whole - side for whole, side in zip(grid.padded, (height, width), strict=True))
    return grid, np.pad(image, ((0, 0), (MARGIN, below), (MARGIN, right)))


def _taper(tile: tuple[int, int], overlap: float) -> Floats:
    """Weights of a tile's pixels: 1 inside, falling as a cosine over the overlap to nearly 0 at the border."""
    profiles = []
    for side in tile:
        ramp = max(1.0, overlap * side)
        distance = np.minimum(np.arange(side), np.arange(side)[::-1]) + 0.5
        profiles.append(np.sin(np.pi / 2 * np.minimum(distance / ramp, 1)) ** 2)
    return np.outer(*profiles).astype(np.float32)


def _unit(style: NDArray[np.float64]) -> Floats:
    return (style / max(float(np.linalg.norm(style)), 1e-12)).astype(np.float32)
