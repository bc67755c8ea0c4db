"""Images of any size through a network on a torch device: as core.inference.tiles, with tensors.

The image goes to the device once; the blended outputs stay there, for core.dynamics.tensors.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from cellspan.core.inference.tile_rules import TileRules
from cellspan.core.inference.tiles import (
    NO_STYLE,
    OVERLAP,
    Axis,
    Grid,
    OnProgress,
    Tally,
    drained,
    shares,
    style_corners,
    tile_grid,
    unit,
)
from cellspan.core.machine.cancelling import checkpoint
from cellspan.core.machine.device_memory import explains_full_memory
from cellspan.core.machine.turns import Turns
from cellspan.core.pictures.images import Floats

TURNS = Turns()  # a device works on one batch after the other
Encoded = tuple[list[tuple[int, int]], Any, Tensor]  # as in core.inference.tiles
FLIPS = ((), (1,), (2,), (1, 2))  # axes of (C, Y, X) along which an image is mirrored


class TensorPredictor(Protocol):
    """A predictor whose tiles and outputs are tensors on its device."""

    device: str
    batch: int  # tiles that are worth giving at once
    rules: TileRules

    def encode_tensors(self, tiles: Tensor) -> tuple[Any, Tensor]:
        """Tiles (N, C, Y, X), sides multiples of 8 -> features for `decode_tensors`, the deepest (N, S, Y/8, X/8)."""
        ...

    def decode_tensors(self, features: Any, style: Tensor) -> Tensor:
        """The features of N tiles and the style (S,) of the whole image -> outputs (N, 3, Y, X)."""
        ...


@explains_full_memory
def predict_tiled_torch(
    predictor: TensorPredictor,
    image: Floats,
    tile: int | None = None,
    overlap: float = OVERLAP,
    on_progress: OnProgress | None = None,
) -> tuple[Tensor, Floats]:
    """Image (C, Y, X) -> outputs (3, Y, X) on the device, blended over the tiles, and the image's style (S,).

    Besides image and outputs no tensor of the image's size is made. Raises CellspanError if the memory is full.
    """
    return _blended(predictor, _on_device(image, predictor), tile, overlap, on_progress)


@explains_full_memory
def predict_augmented_torch(
    predictor: TensorPredictor,
    image: Floats,
    tile: int | None = None,
    overlap: float = OVERLAP,
    on_progress: OnProgress | None = None,
) -> tuple[Tensor, Floats]:
    """As `predict_tiled_torch`, averaged over the image and its mirror images along y, x and both."""
    planes = _on_device(image, predictor)
    total = torch.zeros((3, *planes.shape[1:]), device=planes.device)
    style_sum = np.zeros(1)
    for k, axes in enumerate(FLIPS):
        report = (lambda part, k=k: on_progress((k + part) / len(FLIPS))) if on_progress else None
        outputs, style = _blended(predictor, planes.flip(axes), tile, overlap, report)
        total += _turned_back(outputs, axes)
        style_sum = style_sum + style
    return total.div_(len(FLIPS)), unit(style_sum)


@explains_full_memory
def resize_torch(planes: Tensor, shape: tuple[int, int]) -> Tensor:
    """(C, Y, X) in float32 to a new height and width, as `core.pictures.resizing.resize`; may raise CellspanError."""
    height, width = planes.shape[1:]
    if (height, width) == shape:
        return planes
    if shape[0] < height or shape[1] < width:
        return _averaged(_averaged(planes, 1, shape[0]), 2, shape[1])
    return interpolate(planes[None], shape, mode="bilinear", align_corners=False)[0]


def _on_device(image: Floats, predictor: TensorPredictor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image, np.float32)).to(predictor.device)


def _turned_back(outputs: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The outputs (3, Y, X) of a mirrored image as those of the image itself: its flows are mirrored too."""
    outputs = outputs.flip(axes)
    for axis in axes:
        outputs[axis - 1].neg_()
    return outputs


def _blended(
    predictor: TensorPredictor, image: Tensor, tile: int | None, overlap: float, on_progress: OnProgress | None
) -> tuple[Tensor, Floats]:
    """See predict_tiled_torch and core.inference.tiles."""
    grid = tile_grid((image.shape[1], image.shape[2]), tile, overlap, rules=predictor.rules)
    shares_y, shares_x = _shares_on(image.device, grid.y), _shares_on(image.device, grid.x)
    chosen = style_corners(grid) if predictor.rules.has_style else []
    tally = Tally(2 * len(grid.corners), on_progress)  # each tile is encoded and decoded
    encoded = deque(tally.of(_encoded(predictor, image, grid, chosen)))
    style = _style(predictor.rules, encoded, shares_y, shares_x) if chosen else NO_STYLE
    style_there = torch.from_numpy(style).to(image.device)
    rest = tally.of(_encoded(predictor, image, grid, [corner for corner in grid.corners if corner not in chosen]))
    total = torch.zeros((predictor.rules.outputs, *image.shape[1:]), device=image.device)
    for group, features, _ in chain(drained(encoded), rest):
        with TURNS:
            decoded = predictor.decode_tensors(features, style_there)
        for (y, x), output in zip(group, decoded, strict=True):
            (within_y, at_y), (within_x, at_x) = grid.y.overlap(y), grid.x.overlap(x)
            share = shares_y[y][within_y, None] * shares_x[x][within_x]
            total[:, at_y, at_x] += output[:, within_y, within_x] * share
        total[0, 0, 0].item()  # waits for the device, so that the progress is true and a user can stop the work
        tally.add(len(group))
    return total, style


def _style(
    rules: TileRules, encoded: Iterable[Encoded], shares_y: dict[int, Tensor], shares_x: dict[int, Tensor]
) -> Floats:
    """The style of the image, or of whole tiles; see core.inference.tiles."""
    if not rules.centred:
        return unit(_mean_features(encoded, shares_y, shares_x))
    means = [
        features.mean((1, 2)).cpu().numpy().astype(np.float64) for _, _, deepest in encoded for features in deepest
    ]
    return unit(np.sum([unit(mean) for mean in means], axis=0, dtype=np.float64))


def _mean_features(
    encoded: Iterable[Encoded], shares_y: dict[int, Tensor], shares_x: dict[int, Tensor]
) -> NDArray[np.float64]:
    """The deepest features (S,) over the pixels of the image, whatever the tiles; of any length."""
    parts: list[Tensor] = []
    for corners, _, deepest in encoded:
        for (y, x), features in zip(corners, deepest, strict=True):
            rows = shares_y[y].view(features.shape[1], -1).mean(1)
            columns = shares_x[x].view(features.shape[2], -1).mean(1)
            parts.append(features @ columns @ rows)
    result: NDArray[np.float64] = torch.stack(parts).cpu().numpy().sum(axis=0, dtype=np.float64)
    return result


def _encoded(
    predictor: TensorPredictor, image: Tensor, grid: Grid, corners: list[tuple[int, int]]
) -> Iterator[Encoded]:
    """The tiles in groups of the size that the predictor likes."""
    for i in range(0, len(corners), predictor.batch):
        group = corners[i : i + predictor.batch]
        checkpoint()
        with TURNS:
            encoded = predictor.encode_tensors(_cut(image, grid, group))
        yield group, *encoded


def _shares_on(device: torch.device, axis: Axis) -> dict[int, Tensor]:
    """See core.inference.tiles."""
    return {start: torch.from_numpy(share).to(device) for start, share in shares(axis).items()}


def _cut(image: Tensor, grid: Grid, corners: list[tuple[int, int]]) -> Tensor:
    """Tiles (N, C, height, width), black where they reach beyond the image."""
    tiles = torch.zeros((len(corners), len(image), grid.y.side, grid.x.side), device=image.device)
    for tile, (y, x) in zip(tiles, corners, strict=True):
        (within_y, at_y), (within_x, at_x) = grid.y.overlap(y), grid.x.overlap(x)
        tile[:, within_y, within_x] = image[:, at_y, at_x]
    return tiles


def _averaged(planes: Tensor, axis: int, length: int) -> Tensor:
    """Shrink one axis: every new pixel is the mean of the part of the old ones that it covers."""
    old = planes.shape[axis]
    edges = np.arange(length + 1) * (old / length)
    first = edges[:-1].astype(np.int64)
    shape = [1, 1, 1]
    shape[axis] = length
    result: Tensor | None = None
    for k in range(int(np.ceil(old / length)) + 1):
        pixel = first + k
        covered = np.minimum(pixel + 1, edges[1:]) - np.maximum(pixel, edges[:-1])
        weight = torch.from_numpy((covered.clip(min=0) * (length / old)).astype(np.float32)).to(planes.device)
        index = torch.from_numpy(pixel.clip(max=old - 1)).to(planes.device)
        part = planes.index_select(axis, index).mul_(weight.view(shape))
        result = part if result is None else result.add_(part)
    assert result is not None
    return result
