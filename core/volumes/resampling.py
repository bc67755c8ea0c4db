"""From the voxels of an image to the grid of cubic voxels that the network sees, and back, in parts that fit together.

A grid voxel is computed from the same image voxels whichever part it is computed in, so that blocks agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.machine.compiled import PARALLEL, njit, prange
from cellspan.core.pictures.images import Floats

Box = tuple[slice, slice, slice]
VOXELS_AT_ONCE = 32_000_000  # of the image: 14 bytes each while they are resampled


@dataclass(frozen=True)
class Axis:
    """`length` voxels of the image and `size` voxels of the grid, along one axis; both cover the same distance."""

    length: int
    size: int

    def region(self, grid: slice) -> slice:
        """The image voxels that this part of the grid is computed from."""
        if self.length == self.size:
            return grid
        reach = max(1.0, self.length / self.size)
        first = (grid.start + 0.5) * self.length / self.size - 0.5 - reach
        last = (grid.stop - 0.5) * self.length / self.size - 0.5 + reach
        return slice(max(0, int(np.floor(first))), min(self.length, int(np.ceil(last)) + 1))

    def part(self, grid: slice) -> slice:
        """The image voxels whose centres lie in this part of the grid."""
        first, last = (-(-(2 * edge * self.length - self.size) // (2 * self.size)) for edge in (grid.start, grid.stop))
        return slice(max(0, first), min(self.length, last))

    def weights(self, grid: slice) -> tuple[NDArray[np.intp], Floats]:
        """For each of n grid voxels, the k image voxels (n, k), counted in `region`, and their weights (n, k).

        A triangle as wide as two voxels of the coarser side: linear interpolation, or an average when it shrinks.
        """
        region, ratio = self.region(grid), self.length / self.size
        reach = max(1.0, ratio)
        centres = (np.arange(grid.start, grid.stop) + 0.5) * ratio - 0.5
        first = np.floor(centres - reach).astype(int)
        taps = first[:, None] + np.arange(int(np.ceil(2 * reach)) + 2)
        weights = np.clip(1 - np.abs(taps - centres[:, None]) / reach, 0, None)
        weights /= weights.sum(1, keepdims=True)
        # Beyond the image its outermost voxel counts.
        return np.clip(taps, region.start, region.stop - 1) - region.start, weights.astype(np.float32)

    def positions(self, image: slice) -> Floats:
        """Where the image voxels lie in the grid."""
        return ((np.arange(image.start, image.stop) + 0.5) * self.size / self.length - 0.5).astype(np.float32)


@dataclass(frozen=True)
class Grid:
    """The grid of one volume."""

    z: Axis
    y: Axis
    x: Axis

    @property
    def axes(self) -> tuple[Axis, Axis, Axis]:
        """In the order of arrays."""
        return self.z, self.y, self.x

    @property
    def shape(self) -> tuple[int, int, int]:
        """In grid voxels."""
        return self.z.size, self.y.size, self.x.size

    def region(self, box: Box) -> Box:
        """See Axis.region."""
        z, y, x = (axis.region(part) for axis, part in zip(self.axes, box, strict=True))
        return z, y, x

    def part(self, box: Box) -> Box:
        """See Axis.part."""
        z, y, x = (axis.part(part) for axis, part in zip(self.axes, box, strict=True))
        return z, y, x

    def slabs(self, box: Box) -> Iterator[slice]:
        """The part `box` of the grid in slices along z that each need a limited number of image voxels in memory."""
        image = self.region(box)
        voxels = math.prod(part.stop - part.start for part in image) / (box[0].stop - box[0].start)
        step = max(1, int(VOXELS_AT_ONCE / voxels))
        for start in range(box[0].start, box[0].stop, step):
            yield slice(start, min(start + step, box[0].stop))

    def resampled(self, voxels: Floats, box: Box) -> Floats:
        """The part `box` of the grid from the image voxels of `region(box)`."""
        for number, (axis, part) in enumerate(zip(self.axes, box, strict=True)):
            if axis.length != axis.size:
                voxels = _weighted(voxels, number, *axis.weights(part))
        return np.ascontiguousarray(voxels)

    def values_at(self, values: Floats, box: Box, image: Box) -> Floats:
        """Values on the part `box` of the grid, interpolated at the voxels of a part of the image."""
        for number, (axis, part, wanted) in enumerate(zip(self.axes, box, image, strict=True)):
            if axis.length == axis.size:
                indices = np.arange(wanted.start - part.start, wanted.stop - part.start)
                values = values.take(indices, values.ndim - 3 + number)
            else:
                low, fraction = _neighbours(axis.positions(wanted) - part.start, part.stop - part.start)
                indices = np.stack([low, np.minimum(low + 1, part.stop - part.start - 1)], 1)
                values = _weighted(values, number, indices, np.stack([1 - fraction, fraction], 1))
        return np.ascontiguousarray(values)

    def labels_at(self, labels: NDArray[np.int32], box: Box, image: Box) -> NDArray[np.int32]:
        """Labels on the part `box` of the grid, at the voxels of a part of the image.

        Of the eight grid voxels around an image voxel, the label with the largest trilinear weight counts, so that
        outlines are smooth where the grid is the coarser one.
        """
        if all(axis.length == axis.size for axis in self.axes):
            inner = tuple(slice(w.start - b.start, w.stop - b.start) for w, b in zip(image, box, strict=True))
            return np.ascontiguousarray(labels[inner])
        (low_z, part_z), (low_y, part_y), (low_x, part_x) = (
            _neighbours(axis.positions(wanted) - part.start, part.stop - part.start)
            for axis, part, wanted in zip(self.axes, box, image, strict=True)
        )
        result = np.zeros([wanted.stop - wanted.start for wanted in image], np.int32)
        with PARALLEL:
            _vote(labels, low_z, part_z, low_y, part_y, low_x, part_x, result)
        return result


def _neighbours(positions: Floats, size: int) -> tuple[NDArray[np.int64], Floats]:
    """The grid voxel below each position, and the fraction of the way to the next one."""
    inside = np.clip(positions, 0, size - 1)
    low = np.minimum(np.floor(inside), max(size - 2, 0)).astype(np.int64)
    return low, (inside - low).astype(np.float32)


def _weighted(values: Floats, axis: int, indices: NDArray[np.integer[Any]], weights: Floats) -> Floats:
    """Along one of the last three axes: sums of the values at `indices` (n, k) times `weights` (n, k)."""
    axis = values.ndim - 3 + axis
    column = [1] * values.ndim
    column[axis] = -1
    total: Any = 0
    for k in range(indices.shape[1]):
        if weights[:, k].any():
            total = total + values.take(indices[:, k], axis) * weights[:, k].reshape(column)
    return np.asarray(total)


@njit(parallel=True)
def _vote(labels: Any, low_z: Any, part_z: Any, low_y: Any, part_y: Any, low_x: Any, part_x: Any, result: Any) -> None:
    for z in prange(len(low_z)):
        for y in range(len(low_y)):
            for x in range(len(low_x)):
                result[z, y, x] = _winner(labels, (low_z[z], low_y[y], low_x[x]), (part_z[z], part_y[y], part_x[x]))


@njit
def _winner(labels: Any, low: Any, part: Any) -> int:
    """The label with the largest weight among the eight voxels of a cube; of equals the nearest to its corner."""
    depth, height, width = labels.shape
    names = np.zeros(8, np.int32)
    votes = np.zeros(8, np.float32)
    for corner in range(8):
        up, down, right = corner & 1, (corner >> 1) & 1, corner >> 2
        z, y, x = min(low[0] + up, depth - 1), min(low[1] + down, height - 1), min(low[2] + right, width - 1)
        weight = (
            (part[0] if up else 1 - part[0]) * (part[1] if down else 1 - part[1]) * (part[2] if right else 1 - part[2])
        )
        names[corner] = labels[z, y, x]
        for other in range(corner + 1):
            if names[other] == names[corner]:
                votes[other] += weight
                break
    result: int = names[np.argmax(votes)]
    return result
