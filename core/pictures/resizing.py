"""Planes at another height and width, with the same bits on every machine.

The values are those of OpenCV 5 with the instructions of today's x86 processors (cv2.resize with INTER_AREA and
INTER_LINEAR), whose own results differ from version to version and from processor to processor by up to 1e-4. Only
enlarged planes that are a single pixel high or wide differ from them, in the last bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.machine.compiled import njit

Floats = NDArray[np.float32]

SLIVER = 1e-3  # of a pixel; what covers less of it does not count
LANES = 4  # columns of halved planes that are added in pairs; what remains of a row is added one by one


def resize_plane(plane: Floats, result: Floats, averaging: bool) -> None:
    """Fill `result` (Y, X) with float32 `plane` at its size, by `averaging` or between the nearest four pixels.

    Averaging weighs each pixel by the area that it has in common with the new one. Along an axis that grows while the
    other shrinks, new pixels that lie within an old one take its value, those across a border a mixture of both.
    """
    old, new = plane.shape, result.shape
    grows = new[0] > old[0] or new[1] > old[1]
    if not averaging or grows:
        places = _corners if averaging else _centres
        _mix(plane, *places(new[0], old[0]), *places(new[1], old[1]), not averaging, result)
    elif old[0] % new[0] == 0 and old[1] % new[1] == 0:
        _average_blocks(plane, old[0] // new[0], old[1] // new[1], result)
    else:
        _average(plane, *_shares(new[0], old[0]), *_shares(new[1], old[1]), result)


def resize(planes: Floats, shape: tuple[int, int]) -> Floats:
    """(C, Y, X) to a new height and width; averages when it shrinks, so that noise does not alias."""
    if planes.shape[1:] == shape:
        return planes
    height, width = shape
    shrinks = height < planes.shape[1] or width < planes.shape[2]
    result = np.zeros((len(planes), height, width), np.float32)
    for plane, resized in zip(planes, result, strict=True):
        if plane.any():  # an empty channel stays one that takes no memory
            resize_plane(plane, resized, averaging=shrinks)
    return result


def _centres(new: int, old: int) -> tuple[NDArray[np.int64], Floats]:
    """For each new pixel the old one at or before its centre, and the weight of the one after that."""
    places = (np.arange(new) + 0.5) * (old / new) - 0.5
    first = np.floor(places).astype(np.int64)
    return _clipped(first, (places - first).astype(np.float32), old)


def _corners(new: int, old: int) -> tuple[NDArray[np.int64], Floats]:
    """For each new pixel the old one in which it begins, and the part of it that lies in the one after that."""
    pixels = np.arange(new)
    first = np.floor(pixels * (1 / (new / old))).astype(np.int64)
    beyond = ((pixels + 1) - (first + 1) * (new / old)).astype(np.float32)
    return _clipped(first, np.where(beyond <= 0, np.float32(0), beyond - np.floor(beyond)), old)


def _clipped(first: NDArray[np.int64], weights: Floats, old: int) -> tuple[NDArray[np.int64], Floats]:
    """Before the first pixel and after the last one the plane goes on as it is there."""
    weights[(first < 0) | (first >= old - 1)] = 0
    return np.clip(first, 0, old - 1), weights


@njit
def _mix(plane: Any, top: Any, down: Any, left: Any, right: Any, once: bool, result: Any) -> None:
    """Mixtures of the pixels at rows `top`, columns `left` and those after them; `down`, `right` weigh the latter.

    Rounded `once` for each mixture, as processors do that multiply and add in one step, or after each step.
    """
    height, width = plane.shape
    rows = np.empty((2, len(left)), np.float32)
    held = np.full(2, -1)
    for y in range(len(top)):
        for k in range(2):
            row = min(top[y] + k, height - 1)
            if held[k] == row:
                continue
            held[k] = row
            for x in range(len(left)):
                first, second = plane[row, left[x]], plane[row, min(left[x] + 1, width - 1)]
                rows[k, x] = _between(first, second, right[x], once)
        for x in range(len(left)):
            result[y, x] = _between(rows[0, x], rows[1, x], down[y], once)


@njit
def _between(first: Any, second: Any, weight: Any, once: bool) -> Any:
    if once:
        return np.float32(np.float64(second - first) * np.float64(weight) + np.float64(first))
    return first * (np.float32(1) - weight) + second * weight


@njit
def _average_blocks(plane: Any, rows: int, columns: int, result: Any) -> None:
    """Means of blocks of whole pixels, added in fours: the order decides the last bit."""
    scale = np.float32(1) / np.float32(rows * columns)
    paired = result.shape[1] - result.shape[1] % LANES if rows == 2 and columns == 2 else 0
    block = np.empty(rows * columns, np.float32)
    for y in range(result.shape[0]):
        for x in range(paired):
            above = plane[2 * y, 2 * x] + plane[2 * y, 2 * x + 1]
            result[y, x] = (above + (plane[2 * y + 1, 2 * x] + plane[2 * y + 1, 2 * x + 1])) * scale
        for x in range(paired, result.shape[1]):
            for k in range(len(block)):
                block[k] = plane[y * rows + k // columns, x * columns + k % columns]
            total, fours = np.float32(0), len(block) - len(block) % 4
            for k in range(0, fours, 4):
                total += block[k] + block[k + 1] + block[k + 2] + block[k + 3]
            for k in range(fours, len(block)):
                total += block[k]
            result[y, x] = total * scale


@njit
def _shares(new: int, old: int) -> Any:
    """Which old pixels each new one covers: where its share begins in the list, the pixels, and their weights."""
    scale = old / new
    starts = np.zeros(new + 1, np.int64)
    pixels = np.empty(2 * new + old + 2, np.int64)
    weights = np.empty(len(pixels), np.float32)
    count = 0
    for k in range(new):
        begin = k * scale
        end = begin + scale
        width = min(scale, old - begin)
        last = min(int(np.floor(end)), old - 1)
        first = min(int(np.ceil(begin)), last)
        if first - begin > SLIVER:
            pixels[count], weights[count] = first - 1, (first - begin) / width
            count += 1
        for pixel in range(first, last):
            pixels[count], weights[count] = pixel, 1.0 / width
            count += 1
        if end - last > SLIVER:
            pixels[count], weights[count] = last, min(min(end - last, 1.0), width) / width
            count += 1
        starts[k + 1] = count
    return starts, pixels[:count], weights[:count]


@njit
def _average(
    plane: Any, above: Any, rows: Any, heights: Any, before: Any, columns: Any, widths: Any, result: Any
) -> None:
    """Weighted means, along x first."""
    for y in range(result.shape[0]):
        for k in range(above[y], above[y + 1]):
            for x in range(result.shape[1]):
                total = np.float32(0)
                for i in range(before[x], before[x + 1]):
                    total += plane[rows[k], columns[i]] * widths[i]
                if k == above[y]:
                    result[y, x] = total * heights[k]
                else:
                    result[y, x] += total * heights[k]
