"""Objects of a label volume (Z, Y, X), each within its own box: boxes, largest pieces, enclosed holes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.compiled import PARALLEL, njit, prange

Labels = NDArray[np.int32]


@njit
def volume_boxes(labels: Any, count: int) -> Any:
    """Boxes (count, 6) as z0, y0, x0, z1, y1, x1 (ends exclusive) and volumes (count,) of labels 1..count."""
    depth, height, width = labels.shape
    boxes = np.empty((count, 6), np.int32)
    boxes[:, 0] = depth
    boxes[:, 1] = height
    boxes[:, 2] = width
    boxes[:, 3:] = 0
    volumes = np.zeros(count, np.int64)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                k = labels[z, y, x] - 1
                if k >= 0:
                    volumes[k] += 1
                    box = boxes[k]
                    box[0] = min(box[0], z)
                    box[1] = min(box[1], y)
                    box[2] = min(box[2], x)
                    box[3] = max(box[3], z + 1)
                    box[4] = max(box[4], y + 1)
                    box[5] = max(box[5], x + 1)
    return boxes, volumes


def largest_pieces_3d(labels: Labels) -> Labels:
    """Each object cut down to its largest piece (voxels that share a face), the first in reading order if equal."""
    boxes, volumes = volume_boxes(labels, int(labels.max(initial=0)))
    result = labels.copy()
    with PARALLEL:
        _cut_to_largest(labels, boxes, volumes, result)
    return result


def fill_holes_3d(labels: Labels) -> Labels:
    """What an object encloses on all sides becomes that object, in ascending order."""
    boxes, volumes = volume_boxes(labels, int(labels.max(initial=0)))
    result = labels.copy()
    _fill_holes(result, boxes, volumes)
    return result


@njit
def _flood(passable: Any, seen: Any, start: tuple[int, int, int], stack: Any) -> int:
    """Mark every passable voxel that faces lead to from `start` as seen; how many. The stack keeps them in order."""
    depth, height, width = passable.shape
    stack[0, 0], stack[0, 1], stack[0, 2] = start
    seen[start] = True
    done, found = 0, 1
    while done < found:
        z, y, x = stack[done]
        done += 1
        for step in range(6):
            nz = z + (step == 0) - (step == 1)
            ny = y + (step == 2) - (step == 3)
            nx = x + (step == 4) - (step == 5)
            inside = 0 <= nz < depth and 0 <= ny < height and 0 <= nx < width
            if inside and passable[nz, ny, nx] and not seen[nz, ny, nx]:
                seen[nz, ny, nx] = True
                stack[found, 0], stack[found, 1], stack[found, 2] = nz, ny, nx
                found += 1
    return found


@njit(parallel=True)
def _cut_to_largest(labels: Any, boxes: Any, volumes: Any, result: Any) -> None:
    for k in prange(len(boxes)):
        if volumes[k] > 0:
            z0, y0, x0, z1, y1, x1 = boxes[k]
            _cut_one(labels[z0:z1, y0:y1, x0:x1] == k + 1, volumes[k], result[z0:z1, y0:y1, x0:x1], k + 1)


@njit
def _cut_one(own: Any, volume: int, result: Any, label: int) -> None:
    """Leave in `result`, which holds the object `own` already, its largest piece only."""
    seen = np.zeros(own.shape, np.bool_)
    stack = np.empty((volume, 3), np.int32)
    best = stack[:0].copy()
    left = volume
    for z in range(own.shape[0]):
        for y in range(own.shape[1]):
            for x in range(own.shape[2]):
                if left > len(best) and own[z, y, x] and not seen[z, y, x]:
                    found = _flood(own, seen, (z, y, x), stack)
                    left -= found
                    if found > len(best):
                        best = stack[:found].copy()
    if len(best) == volume:
        return
    for z in range(own.shape[0]):
        for y in range(own.shape[1]):
            for x in range(own.shape[2]):
                if own[z, y, x]:
                    result[z, y, x] = 0
    for i in range(len(best)):
        result[best[i, 0], best[i, 1], best[i, 2]] = label


@njit
def _fill_holes(labels: Any, boxes: Any, volumes: Any) -> None:
    """Flood what is not the object from the faces of its box; what stays dry is enclosed."""
    for k in range(len(boxes)):
        z0, y0, x0, z1, y1, x1 = boxes[k]
        size = (z1 - z0) * (y1 - y0) * (x1 - x0)
        if volumes[k] == 0 or volumes[k] == size:
            continue
        other = labels[z0:z1, y0:y1, x0:x1] != k + 1
        depth, height, width = other.shape
        outside = np.zeros(other.shape, np.bool_)
        stack = np.empty((size - volumes[k], 3), np.int32)
        reached = 0
        for z in range(depth):
            for y in range(height):
                for x in range(width):
                    face = z in (0, depth - 1) or y in (0, height - 1) or x in (0, width - 1)
                    if face and other[z, y, x] and not outside[z, y, x]:
                        reached += _flood(other, outside, (z, y, x), stack)
        if reached + volumes[k] >= size:
            continue
        for z in range(depth):
            for y in range(height):
                for x in range(width):
                    if other[z, y, x] and not outside[z, y, x]:
                        labels[z0 + z, y0 + y, x0 + x] = k + 1
