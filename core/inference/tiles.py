"""Images of any size through a network that sees tiles: cutting, blending with tapered weights, mean style."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellspan.core.images import Floats
from cellspan.core.inference.predictor import Predictor

MULTIPLE = 64  # sides of tiles: the network halves them three times; coarser, so that few sizes are compiled
SIDES = (256, 320, 384)  # pixels; a good compromise between context, memory and speed
LARGEST_SINGLE = 512  # pixels; along a side up to this, one tile is enough
# Black pixels around the image, as in training: without them, objects at the border look cut by a tile, and with mirror
# images instead they look whole; either way their flows lead out of the image.
MARGIN = 16
OnProgress = Callable[[float], None]


@dataclass(frozen=True)
class Axis:
    """Tiles along one axis of an image: their side, and where they start in the image with its margin."""

    length: int  # of the image, without the margin
    side: int
    starts: list[int]

    def overlap(self, start: int) -> tuple[slice, slice]:
        """The part of a tile that lies on the image: where in the tile, and where in the image."""
        first, last = max(start, MARGIN), min(start + self.side, MARGIN + self.length)
        return slice(first - start, last - start), slice(first - MARGIN, last - MARGIN)


@dataclass(frozen=True)
class Grid:
    """Tiles over an image (Y, X) and its margin; the last ones may reach beyond it."""

    y: Axis
    x: Axis

    @property
    def corners(self) -> list[tuple[int, int]]:
        """The upper left corners of all tiles, row by row."""
        return [(y, x) for y in self.y.starts for x in self.x.starts]


def tile_grid(shape: tuple[int, int], tile: int | None = None, overlap: float = 0.1) -> Grid:
    """Tiles of side `tile` (None = the cheapest), spread evenly over an image (Y, X) and its margin."""
    return Grid(*(_axis(length, tile, overlap) for length in shape))


def _axis(length: int, tile: int | None, overlap: float) -> Axis:
    """The tiles that see the fewest pixels in all."""
    padded = length + 2 * MARGIN
    whole = _round_up(padded)
    sides = [_round_up(tile)] if tile else [*SIDES, *([whole] if whole <= LARGEST_SINGLE else [])]
    # A tile is never longer than the image.
    options = [Axis(length, side, _starts(padded, side, overlap)) for side in {min(side, whole) for side in sides}]
    return min(options, key=lambda axis: (axis.side * len(axis.starts), axis.side))


def _round_up(length: int) -> int:
    return -(-length // MULTIPLE) * MULTIPLE


def _starts(length: int, side: int, overlap: float) -> list[int]:
    if length <= side:
        return [0]
    count = 1 + int(np.ceil((length - side) / (side * (1 - overlap))))
    return [round(i * (length - side) / (count - 1)) for i in range(count)]


def predict_tiled(
    predictor: Predictor,
    image: Floats,
    tile: int | None = None,
    overlap: float = 0.1,
    on_progress: OnProgress | None = None,
) -> tuple[Floats, Floats]:
    """Image (2, Y, X) -> outputs (3, Y, X), blended over the tiles, and the mean style (S,) of unit length.

    Besides image and outputs no array of the image's size is made, so that images of gigabytes fit.
    """
    shape = image.shape[1], image.shape[2]
    grid = tile_grid(shape, tile, overlap)
    shares_y, shares_x = _shares(grid.y, overlap), _shares(grid.x, overlap)
    total = np.zeros((3, *shape), np.float32)
    style_sum: NDArray[np.float64] | float = 0.0
    done = 0
    for group, outputs, styles in _predictions(predictor, image, grid, grid.corners):
        for (y, x), output in zip(group, outputs, strict=True):
            (within_y, at_y), (within_x, at_x) = grid.y.overlap(y), grid.x.overlap(x)
            total[:, at_y, at_x] += output[:, within_y, within_x] * shares_y[y][:, None] * shares_x[x]
        style_sum = style_sum + styles.sum(axis=0, dtype=np.float64)
        done += len(group)
        if on_progress:
            on_progress(done / len(grid.corners))
    return total, _unit(np.asarray(style_sum))


def _shares(axis: Axis, overlap: float) -> dict[int, Floats]:
    """For each tile's start, its share in every pixel of the image that it covers along this axis.

    Tiles lie on a grid, so a pixel's share is the product of those along y and x.
    """
    taper = _taper(axis.side, overlap)
    places = {start: axis.overlap(start) for start in axis.starts}
    total = np.zeros(axis.length, np.float32)
    for within, at in places.values():
        total[at] += taper[within]
    return {start: taper[within] / total[at] for start, (within, at) in places.items()}


def _taper(side: int, overlap: float) -> Floats:
    """Weights along a tile: 1 inside, falling as a cosine over the overlap to nearly 0 at the border."""
    ramp = max(1.0, overlap * side)
    distance = np.minimum(np.arange(side), np.arange(side)[::-1]) + 0.5
    return (np.sin(np.pi / 2 * np.minimum(distance / ramp, 1)) ** 2).astype(np.float32)


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
    grid = tile_grid((image.shape[1], image.shape[2]))
    corners = grid.corners
    chosen = np.unique(np.linspace(0, len(corners) - 1, min(most, len(corners))).round().astype(int))
    styles = [styles for _, _, styles in _predictions(predictor, image, grid, [corners[i] for i in chosen])]
    return _unit(np.concatenate(styles).sum(axis=0, dtype=np.float64))


def _predictions(
    predictor: Predictor, image: Floats, grid: Grid, corners: list[tuple[int, int]]
) -> Iterator[tuple[list[tuple[int, int]], Floats, Floats]]:
    """The tiles' corners, outputs and styles, in groups of the size that the predictor likes."""
    for i in range(0, len(corners), predictor.batch):
        group = corners[i : i + predictor.batch]
        outputs, styles = predictor.predict(np.stack([_cut(image, grid, corner) for corner in group]))
        yield group, outputs, styles


def _cut(image: Floats, grid: Grid, corner: tuple[int, int]) -> Floats:
    """One tile (2, height, width), black where it reaches beyond the image."""
    tile = np.zeros((len(image), grid.y.side, grid.x.side), np.float32)
    (within_y, at_y), (within_x, at_x) = grid.y.overlap(corner[0]), grid.x.overlap(corner[1])
    tile[:, within_y, within_x] = image[:, at_y, at_x]
    return tile


def _unit(style: NDArray[np.float64]) -> Floats:
    return (style / max(float(np.linalg.norm(style)), 1e-12)).astype(np.float32)
