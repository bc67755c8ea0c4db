"""Images of any size through a network that sees tiles: cutting, blending with tapered weights, mean style."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.inference.predictor import Predictor
from cellspan.core.inference.tile_rules import TileRules
from cellspan.core.machine.cancelling import checkpoint, is_urgent
from cellspan.core.machine.turns import Turns
from cellspan.core.models.kinds import MARGIN
from cellspan.core.pictures.images import Floats

STRIDE = 8  # pixels: the network halves images three times; tiles start at multiples, so that all pool alike
MULTIPLE = 64  # of pixels, for the sides of tiles: coarser than STRIDE, so that few sizes are compiled
SIDES = (256, 320, 384)  # pixels; a good compromise between context, memory and speed
LARGEST_SINGLE = 512  # pixels; along a side up to this, one tile is enough
# The style describes the whole image, whatever the tiles. Of a larger image, tiles with so many pixels in all stand for
# the rest; their features are kept meanwhile, 112 to 240 bytes a pixel.
STYLE_PIXELS = 1_500_000
OVERLAP = 0.1
# Tiles overlap by so many pixels at least, small ones by half: what lies farther away hardly changes an object.
# Measured with tiles of 192 pixels and the default against one: IoU >= 0.98 for 98.8 % of 1,090 nuclei with 24 pixels,
# 99.1 % with 48, 99.4 % with 56, which would cost 1.56 instead of 1.27 megapixels for 1024x1024.
LEAST_OVERLAP = 48
# Tiles of several images take turns, so that a short job does not wait for a long one to end. Two at once, each on half
# of the processor, are done sooner than one after the other (docs/performance.md).
TURNS = Turns(places=2)
FLIPS = ((1, 1), (-1, 1), (1, -1), (-1, -1))  # steps along y and x with which an image is mirrored, or not
ANY_TILES = TileRules()
NO_STYLE = np.zeros(0, np.float32)
OnProgress = Callable[[float], None]
T = TypeVar("T")
Group = TypeVar("Group", bound=tuple[list[tuple[int, int]], Any, Any])
Encoded = tuple[list[tuple[int, int]], Any, Floats]  # corners of tiles, their features, the deepest of them


@dataclass(frozen=True)
class Axis:
    """Tiles along one axis of an image: their side, and where they start in the image with its margin."""

    length: int  # of the image, without the margin
    side: int
    starts: list[int]
    margin: int = MARGIN  # black pixels before and after the image

    def overlap(self, start: int) -> tuple[slice, slice]:
        """The part of a tile that lies on the image: where in the tile, and where in the image."""
        first, last = max(start, self.margin), min(start + self.side, self.margin + self.length)
        return slice(first - start, last - start), slice(first - self.margin, last - self.margin)


@dataclass(frozen=True)
class Grid:
    """Tiles over an image (Y, X) and its margin; the last ones may reach beyond it."""

    y: Axis
    x: Axis

    @property
    def corners(self) -> list[tuple[int, int]]:
        """The upper left corners of all tiles, row by row."""
        return [(y, x) for y in self.y.starts for x in self.x.starts]


def tile_grid(
    shape: tuple[int, int],
    tile: int | None = None,
    overlap: float = OVERLAP,
    multiple: int = MULTIPLE,
    rules: TileRules = ANY_TILES,
) -> Grid:
    """Tiles of side `tile` (None = the cheapest), spread evenly over an image (Y, X) and its margin.

    A network with tiles of one size has those, whatever the multiple, and an image that fits into one is seen in one.
    Raises CellspanError for another `tile`.
    """
    if rules.side is not None:
        if tile not in (None, rules.side):
            raise CellspanError(
                f"tile = {tile}: this model sees tiles of {rules.side} pixels only; leave out tile (--tile)."
            )
        tile = multiple = rules.side
    return Grid(*(_axis(length, tile, overlap, rules.centred or multiple, rules) for length in shape))


def _axis(length: int, tile: int | None, overlap: float, multiple: int, rules: TileRules) -> Axis:
    """The tiles that see the fewest pixels in all."""
    margin = rules.margin_of(length)
    padded = _round_up(length + 2 * margin, STRIDE)
    whole = _round_up(padded, multiple)
    if rules.centred:
        margin, padded = (whole - length) // 2, whole
    sides = [_round_up(tile, multiple)] if tile else [*SIDES, *([whole] if whole <= LARGEST_SINGLE else [])]
    # A tile is never longer than the image.
    options = [
        Axis(length, side, _starts(padded, side, overlap), margin) for side in {min(side, whole) for side in sides}
    ]
    return min(options, key=lambda axis: (axis.side * len(axis.starts), axis.side))


def _round_up(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple


def _starts(length: int, side: int, overlap: float) -> list[int]:
    if length <= side:
        return [0]
    least = min(LEAST_OVERLAP, side // 2)
    farthest = min(int(side * (1 - overlap)), side - least) // STRIDE * STRIDE  # from one tile to the next
    count = 1 + int(np.ceil((length - side) / farthest))
    return [i * (length - side) // (count - 1) // STRIDE * STRIDE for i in range(count)]


def predict_tiled(
    predictor: Predictor,
    image: Floats,
    tile: int | None = None,
    overlap: float = OVERLAP,
    on_progress: OnProgress | None = None,
    style: Floats | None = None,
    multiple: int = MULTIPLE,
) -> tuple[Floats, Floats]:
    """Image (C, Y, X) -> outputs (3, Y, X), blended over the tiles, and the image's style (S,) of unit length.

    Networks that restore images have one output.

    A `style` that is given, such as that of the volume to which a slice belongs, takes the place of the image's own.
    It is empty for networks without one.
    The sides of tiles are multiples of `multiple`.
    Besides image and outputs no array of the image's size is made, so that images of gigabytes fit.
    """
    shape = image.shape[1], image.shape[2]
    grid = tile_grid(shape, tile, overlap, multiple, predictor.rules)
    shares_y, shares_x = shares(grid.y), shares(grid.x)
    if not predictor.rules.has_style:
        style = NO_STYLE
    chosen = style_corners(grid) if style is None else []
    tally = Tally(2 * len(grid.corners), on_progress)  # each tile is encoded and decoded
    encoded = deque(tally.of(_encoded(predictor, image, grid, chosen)))
    if style is None:
        style = _whole_style(encoded) if predictor.rules.centred else _style(encoded, shares_y, shares_x)
    rest = tally.of(_encoded(predictor, image, grid, [corner for corner in grid.corners if corner not in chosen]))
    total = np.zeros((predictor.rules.outputs, *shape), np.float32)
    for group, features, _ in chain(drained(encoded), rest):
        with TURNS as beside:
            decoded = predictor.decode(features, style, _crowd(beside))
        for (y, x), output in zip(group, decoded, strict=True):
            (within_y, at_y), (within_x, at_x) = grid.y.overlap(y), grid.x.overlap(x)
            share = shares_y[y][within_y, None] * shares_x[x][within_x]
            total[:, at_y, at_x] += output[:, within_y, within_x] * share
        tally.add(len(group))
    return total, style


def shares(axis: Axis) -> dict[int, Floats]:
    """For each tile's start, the share of each of its pixels (side,) in the result along this axis; 0 in the margin.

    Tiles lie on a grid, so a pixel's share is the product of those along y and x.
    """
    weights = {start: _weights(axis, start) for start in axis.starts}
    total = np.zeros(axis.length, np.float32)
    for start, weight in weights.items():
        within, at = axis.overlap(start)
        total[at] += weight[within]
    for start, weight in weights.items():
        within, at = axis.overlap(start)
        weight[within] /= total[at]
        weight[: within.start] = weight[within.stop :] = 0
    return weights


def _weights(axis: Axis, start: int) -> Floats:
    """Along a tile, 1 inside; where it overlaps a neighbour, a cosine that falls from 1 to 0 in the middle third.

    The outermost pixels do not count, because there the network sees less of their surroundings than the neighbour.
    """
    weights = np.ones(axis.side, np.float32)
    k = axis.starts.index(start)
    for neighbours, ends in ((axis.starts[:k][-1:], weights), (axis.starts[k + 1 :][:1], weights[::-1])):
        for neighbour in neighbours:
            overlap = axis.side - abs(neighbour - start)
            third = np.clip((np.arange(overlap) + 0.5) * 3 / overlap - 1, 0, 1)
            ends[:overlap] *= (np.sin(np.pi / 2 * third) ** 2).astype(np.float32)
    return weights


def predict_augmented(
    predictor: Predictor,
    image: Floats,
    tile: int | None = None,
    overlap: float = OVERLAP,
    on_progress: OnProgress | None = None,
    style: Floats | None = None,
    multiple: int = MULTIPLE,
) -> tuple[Floats, Floats]:
    """As `predict_tiled`, averaged over the image and its mirror images along y, x and both."""
    total: Floats | None = None
    style_sum = np.zeros(1)
    for k, (sy, sx) in enumerate(FLIPS):
        report = (lambda part, k=k: on_progress((k + part) / len(FLIPS))) if on_progress else None
        mirrored = np.ascontiguousarray(image[:, ::sy, ::sx])
        outputs, found = predict_tiled(predictor, mirrored, tile, overlap, report, style, multiple)
        # A mirrored image has mirrored flows.
        turned = outputs[:, ::sy, ::sx] * np.array([sy, sx, 1], np.float32)[:, None, None]
        total = turned if total is None else total + turned
        style_sum = style_sum + found
    assert total is not None
    return total / np.float32(len(FLIPS)), unit(style_sum)


class Tally:
    """Counts what is done and tells it as a fraction; the callback may raise an exception to end the work."""

    def __init__(self, total: int, on_progress: OnProgress | None) -> None:
        """`total` is what there is to do."""
        self._total, self._tell = total, on_progress
        self._done = 0
        self.add(0)

    def add(self, count: int) -> None:
        """So much more is done."""
        self._done += count
        checkpoint()
        if self._tell:
            self._tell(self._done / self._total)

    def of(self, groups: Iterable[Group]) -> Iterator[Group]:
        """The same groups of tiles, each counted when it comes."""
        for group in groups:
            self.add(len(group[0]))
            yield group


def sample_style(predictor: Predictor, image: Floats) -> Floats:
    """The style (S,) of the image (2, Y, X), of unit length: the mean over a sample of its tiles; may be empty."""
    if not predictor.rules.has_style:
        return NO_STYLE
    grid = tile_grid((image.shape[1], image.shape[2]))
    encoded = _encoded(predictor, image, grid, style_corners(grid))
    return _style(encoded, shares(grid.y), shares(grid.x))


def style_corners(grid: Grid) -> list[tuple[int, int]]:
    """Corners of tiles of STYLE_PIXELS in all, or of all tiles, spread over the grid."""
    corners = grid.corners
    most = max(1, STYLE_PIXELS // (grid.y.side * grid.x.side))
    indices = np.linspace(0, len(corners) - 1, min(most, len(corners))).round().astype(int)
    return [corners[i] for i in np.unique(indices)]


def _style(encoded: Iterable[Encoded], shares_y: dict[int, Floats], shares_x: dict[int, Floats]) -> Floats:
    """The mean (S,) of the deepest features over the pixels of the image, of unit length, whatever the tiles."""
    total: NDArray[np.float64] | float = 0.0
    for corners, _, deepest in encoded:
        for (y, x), features in zip(corners, deepest, strict=True):
            # The deepest features are coarser than pixels.
            rows = shares_y[y].reshape(features.shape[1], -1).mean(1)
            columns = shares_x[x].reshape(features.shape[2], -1).mean(1)
            total = total + np.einsum("syx,y,x->s", features, rows, columns, dtype=np.float64)
    return unit(np.asarray(total))


def _whole_style(encoded: Iterable[Encoded]) -> Floats:
    """The mean (S,) of the deepest features over whole tiles, what is black in them included; of unit length."""
    means = [features.mean((1, 2), dtype=np.float64) for _, _, deepest in encoded for features in deepest]
    return unit(np.sum([unit(mean) for mean in means], axis=0, dtype=np.float64))


def _encoded(predictor: Predictor, image: Floats, grid: Grid, corners: list[tuple[int, int]]) -> Iterator[Encoded]:
    """The tiles in groups of the size that the predictor likes."""
    for i in range(0, len(corners), predictor.batch):
        group = corners[i : i + predictor.batch]
        checkpoint()
        tiles = np.stack([_cut(image, grid, corner) for corner in group])
        with TURNS as beside:
            encoded = predictor.encode(tiles, _crowd(beside))
        yield group, *encoded


def _crowd(beside: int) -> int:
    """With how many others the processor is shared; not at all by those whom somebody waits for."""
    return 0 if is_urgent() else beside


def drained(items: deque[T]) -> Iterator[T]:
    """Give the items away one by one, so that their memory is free as soon as they are used."""
    while items:
        yield items.popleft()


def _cut(image: Floats, grid: Grid, corner: tuple[int, int]) -> Floats:
    """One tile (C, height, width), black where it reaches beyond the image."""
    tile = np.zeros((len(image), grid.y.side, grid.x.side), np.float32)
    (within_y, at_y), (within_x, at_x) = grid.y.overlap(corner[0]), grid.x.overlap(corner[1])
    tile[:, within_y, within_x] = image[:, at_y, at_x]
    return tile


def unit(style: NDArray[np.float64]) -> Floats:
    """A vector scaled to length 1; zeros stay zeros."""
    return (style / max(float(np.linalg.norm(style)), 1e-12)).astype(np.float32)
