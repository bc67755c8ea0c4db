"""Objects of a label volume (Z, Y, X), each within its own box: boxes, largest pieces, enclosed holes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.machine.cancelling import checkpoint
from cellspan.core.machine.compiled import PARALLEL, grouped, njit, prange

Labels = NDArray[np.int32]
VOXELS = 2**24  # that are looked at between two looks whether the work is still wanted: 0.1 to 0.3 s


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


@njit
def own_voxels(labels: Any, box: Any, label: int) -> Any:
    """Which voxels of its box an object has."""
    return labels[box[0] : box[3], box[1] : box[4], box[2] : box[5]] == label


def largest_pieces_3d(labels: Labels) -> Labels:
    """Each object cut down to its largest piece (voxels that share a face), the first in reading order if equal."""
    boxes, volumes = volume_boxes(labels, int(labels.max(initial=0)))
    result = labels.copy()
    present = np.flatnonzero(volumes)
    for group in grouped(_sizes(boxes[present]), VOXELS):
        if len(group) == 1:
            _cut_large(labels, boxes[present[group[0]]], present[group[0]] + 1, result)
        else:
            with PARALLEL:
                _cut_all(labels, boxes, volumes, present[group], result)
    return result


def fill_holes_3d(labels: Labels) -> Labels:
    """What an object encloses on all sides becomes that object, in ascending order."""
    boxes, volumes = volume_boxes(labels, int(labels.max(initial=0)))
    # Few objects enclose anything: these are found side by side, then filled one after the other.
    present = np.flatnonzero(volumes)
    enclosing = np.zeros(len(volumes), bool)
    for group in grouped(_sizes(boxes[present]), VOXELS):
        if len(group) == 1:
            enclosing[present[group]] = True  # so large that it is looked at only once
        else:
            with PARALLEL:
                _find_enclosing(labels, boxes, volumes, present[group], enclosing)
    result = labels.copy()
    for k in np.flatnonzero(enclosing):
        _fill(result, boxes[k], k + 1, _outside(result, boxes[k], int(k) + 1))
    return result


def _sizes(boxes: NDArray[np.int32]) -> NDArray[np.float64]:
    """Voxels of each of the boxes."""
    return np.asarray((boxes[:, 3:] - boxes[:, :3]).astype(np.float64).prod(1))


def _cut_large(labels: Labels, box: NDArray[np.int32], label: int, result: Labels) -> None:
    """As _cut, for an object that may fill the volume."""
    part = tuple(slice(*ends) for ends in zip(box[:3], box[3:], strict=True))
    own = labels[part] == label
    seen = np.zeros(own.shape, bool)
    stack = np.empty(np.count_nonzero(own), np.int64)
    best, left, at = stack[:0], len(stack), 0
    while left > len(best):
        checkpoint()
        at = _next_start(own, seen, at, VOXELS)
        if at < 0:
            at = -at
            continue
        found = _flooded(own, seen, stack, at)
        left -= found
        if found > len(best):
            best = stack[:found].copy()
    if len(best) < len(stack):
        keep = np.zeros(own.size, bool)
        keep[best] = True
        result[part][own & ~keep.reshape(own.shape)] = 0


def _outside(labels: Labels, box: NDArray[np.int32], label: int) -> NDArray[np.bool_]:
    """What is not the object in its box and not enclosed by it."""
    part = tuple(slice(*ends) for ends in zip(box[:3], box[3:], strict=True))
    other = labels[part] != label
    outside = np.zeros(other.shape, bool)
    stack = np.empty(np.count_nonzero(other), np.int64)
    found = _start_on_faces(other, outside, stack)
    _continue(other, outside, stack, found)
    return outside


def _flooded(passable: NDArray[np.bool_], seen: NDArray[np.bool_], stack: NDArray[np.int64], start: int) -> int:
    """As _flood, for a large space; raises Cancelled."""
    stack[0] = start
    seen.ravel()[start] = True
    return _continue(passable, seen, stack, 1)


def _continue(passable: NDArray[np.bool_], seen: NDArray[np.bool_], stack: NDArray[np.int64], found: int) -> int:
    """Go on from the `found` voxels on the stack until nothing new is reached; how many are reached then."""
    done = 0
    while done < found:
        checkpoint()
        done, found = _spread_out(passable, seen, stack, done, found, VOXELS)
    return found


@njit
def _spread_out(passable: Any, seen: Any, stack: Any, done: int, found: int, most: int) -> tuple[int, int]:
    """Mark as seen what is reached through faces from the voxels stack[done:found], in a limited number of steps."""
    depth, height, width = passable.shape
    end = done + most
    while done < min(found, end):
        at = stack[done]
        z, y, x = at // (height * width), at // width % height, at % width
        done += 1
        for step in range(6):
            nz = z + (step == 0) - (step == 1)
            ny = y + (step == 2) - (step == 3)
            nx = x + (step == 4) - (step == 5)
            inside = 0 <= nz < depth and 0 <= ny < height and 0 <= nx < width
            if inside and passable[nz, ny, nx] and not seen[nz, ny, nx]:
                seen[nz, ny, nx] = True
                stack[found] = (nz * height + ny) * width + nx
                found += 1
    return done, found


@njit
def _start_on_faces(other: Any, outside: Any, stack: Any) -> int:
    """Put what lies on the faces of the box on the stack; how much that is."""
    depth, height, width = other.shape
    found = 0
    for z in range(depth):
        for y in range(height):
            edge = z in (0, depth - 1) or y in (0, height - 1)
            for x in range(0, width, 1 if edge else max(width - 1, 1)):
                if other[z, y, x]:
                    outside[z, y, x] = True
                    stack[found] = (z * height + y) * width + x
                    found += 1
    return found


@njit
def _flood(passable: Any, seen: Any, stack: Any, start: int) -> int:
    """Mark every passable voxel that faces lead to from `start` as seen; how many. The stack keeps them in order."""
    stack[0] = start
    seen.ravel()[start] = True
    result: int = _spread_out(passable, seen, stack, 0, 1, passable.size)[1]
    return result


@njit
def _next_start(own: Any, seen: Any, at: int, most: int) -> int:
    """The next voxel of the object, from `at` on, not seen yet; -(where to continue) at the limit of voxels."""
    flat_own, flat_seen = own.ravel(), seen.ravel()
    for i in range(at, len(flat_own)):
        if i - at == most:
            return -i
        if flat_own[i] and not flat_seen[i]:
            return i
    return -len(flat_own)


@njit(parallel=True)
def _cut_all(labels: Any, boxes: Any, volumes: Any, numbers: Any, result: Any) -> None:
    for i in prange(len(numbers)):
        k = numbers[i]
        _cut(own_voxels(labels, boxes[k], k + 1), volumes[k], boxes[k], result)


@njit
def _cut(own: Any, volume: int, box: Any, result: Any) -> None:
    """Leave in `result`, which holds the object `own` already, its largest piece only."""
    seen = np.zeros(own.shape, np.bool_)
    stack = np.empty(volume, np.int64)
    best = stack[:0].copy()
    left, at = volume, 0
    while left > len(best):
        at = _next_start(own, seen, at, own.size + 1)
        found = _flood(own, seen, stack, at)
        left -= found
        if found > len(best):
            best = stack[:found].copy()
    if len(best) == volume:
        return
    keep = np.zeros(own.shape, np.bool_)
    keep.ravel()[best] = True
    for z in range(own.shape[0]):
        for y in range(own.shape[1]):
            for x in range(own.shape[2]):
                if own[z, y, x] and not keep[z, y, x]:
                    result[box[0] + z, box[1] + y, box[2] + x] = 0


@njit(parallel=True)
def _find_enclosing(labels: Any, boxes: Any, volumes: Any, numbers: Any, enclosing: Any) -> None:
    """Flood what is not the object from the faces of its box; does something stay dry?"""
    for i in prange(len(numbers)):
        k = numbers[i]
        own = own_voxels(labels, boxes[k], k + 1)
        if volumes[k] < own.size:
            other = ~own
            stack = np.empty(own.size - volumes[k], np.int64)
            outside = np.zeros_like(other)
            found = _start_on_faces(other, outside, stack)
            found = _spread_out(other, outside, stack, 0, found, own.size)[1]
            enclosing[k] = found < len(stack)


@njit
def _fill(labels: Any, box: Any, label: int, outside: Any) -> None:
    """Give the object what is in its box but not outside."""
    for z in range(outside.shape[0]):
        for y in range(outside.shape[1]):
            for x in range(outside.shape[2]):
                if not outside[z, y, x]:
                    labels[box[0] + z, box[1] + y, box[2] + x] = label
