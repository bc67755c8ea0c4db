"""A volume a few slices at a time, so that it may lie on disk: numpy, memory-mapped, zarr and dask arrays alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.objects.labels import Labels
from cellspan.core.objects.pieces import volume_boxes

VOXELS = 16_000_000  # that are read at once


def slabs(volume: Any) -> Iterator[tuple[int, NDArray[Any]]]:
    """The slices of (Z, Y, X) in order: number of the first one, and some of them (z, Y, X) in memory."""
    depth, height, width = volume.shape
    thickness = max(1, VOXELS // max(1, height * width))
    for z in range(0, depth, thickness):
        yield z, np.asarray(volume[z : min(z + thickness, depth)])


def label_slabs(labels: Any) -> Iterator[tuple[int, Labels]]:
    """The same for labels of any integer type."""
    for z, slab in slabs(labels):
        yield z, np.ascontiguousarray(slab, np.int32)


def object_boxes(labels: Any) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """For each of the labels 1..n, its box z0, y0, x0, z1, y1, x1 (ends exclusive) and its voxels."""
    boxes, volumes = np.zeros((0, 6), np.int32), np.zeros(0, np.int64)
    for z, slab in label_slabs(labels):
        count = max(len(boxes), int(slab.max(initial=0)))
        own, voxels = volume_boxes(slab, count)
        own[:, [0, 3]] += z
        boxes, volumes = _longer(boxes, count), np.append(volumes, np.zeros(count - len(volumes), np.int64))
        old, new = (volumes > 0)[:, None], (voxels > 0)[:, None]
        both = np.concatenate((np.minimum(boxes[:, :3], own[:, :3]), np.maximum(boxes[:, 3:], own[:, 3:])), axis=1)
        boxes = np.where(old & new, both, np.where(new, own, boxes))
        volumes = volumes + voxels
    return boxes, volumes


def _longer(boxes: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    return np.concatenate((boxes, np.zeros((count - len(boxes), 6), np.int32)))
