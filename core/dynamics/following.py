"""Following the flows of a plane: where every foreground pixel arrives.

Stringer et al. 2021, Methods, "Gradient tracking": Euler integration with bilinear interpolation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.dynamics.steps import STILL
from cellspan.core.machine.compiled import PARALLEL, njit, parts, prange

# So much is done between two looks whether the work is still wanted, and in one turn, at first; see `parts`. It is
# little, because a small image beside this needs several turns.
POINT_STEPS = 2**23  # steps of pixels, if none arrives before the last one
TILES = 4  # at least, so that several processors have work
PIXELS = 2**24
TILE = 32  # pixels: points of a square of this side are followed together, so that their surroundings stay in the cache
INWARDS = 1e-4  # pixels from its edges within which rounding might bring a point out of a square of pixels


def follow(flow: NDArray[np.float32], logits: NDArray[np.float32], threshold: float, steps: int) -> NDArray[np.int32]:
    """Where every foreground pixel arrives, as an index into the flat image; -1 in the background."""
    height, width = logits.shape
    foreground = np.zeros(logits.shape, bool)
    field = np.zeros((height + 1, width + 1, 2), np.float32)
    quadrants = np.zeros((height + 1, width + 1), np.uint8)
    ends = np.zeros(logits.shape, bool)
    rows = PIXELS // max(width, 1)
    for first, end in parts(height, rows):
        _interleave(flow, logits, threshold, first, end, foreground, field, quadrants)
    for first, end in parts(height, rows):
        _find_ends(quadrants, first, end, ends)
    arrivals = np.full(foreground.shape, -1, np.int32)
    for first, end in parts(-(-height // TILE) * -(-width // TILE), max(TILES, POINT_STEPS // (TILE**2 * steps))):
        with PARALLEL:
            _follow_tiles(field, foreground, ends, steps, first, end, arrivals)
    return arrivals


@njit
def _interleave(
    flow: Any, logits: Any, threshold: float, first: int, end: int, foreground: Any, field: Any, quadrants: Any
) -> None:
    """Fill rows of the foreground (see volume_following.foreground_of), of the field and of the quadrants.

    The field is the flow as (Y + 1, X + 1, 2), so that what a point needs lies together; background, and what is beyond
    the image, stands still. The quadrant says into which of the four squares that meet in it a pixel is carried: to
    the lower right 1, lower left 2, upper right 3, upper left 4; 0 = farther, or along their sides.
    """
    for y in range(first, end):
        for x in range(logits.shape[1]):
            dy, dx = flow[0, y, x], flow[1, y, x]
            if logits[y, x] > threshold and np.isfinite(dy) and np.isfinite(dx):
                foreground[y, x] = True
                field[y, x, 0] = dy
                field[y, x, 1] = dx
                far_y, far_x = abs(dy), abs(dx)
                if min(far_y, far_x) > INWARDS and max(far_y, far_x) < 1 - INWARDS:
                    quadrants[y, x] = 1 + 2 * (dy < 0) + (dx < 0)


@njit
def _find_ends(quadrants: Any, first: int, end: int, ends: Any) -> None:
    """Squares between four neighbouring pixels that no point leaves, at the index of the upper left one.

    All four are carried into the square, and so is what lies between them, as steps are interpolated.
    """
    for y in range(first, end):
        for x in range(ends.shape[1]):
            upper = (quadrants[y, x] == 1) & (quadrants[y, x + 1] == 2)
            ends[y, x] = upper & (quadrants[y + 1, x] == 3) & (quadrants[y + 1, x + 1] == 4)


@njit(parallel=True)
def _follow_tiles(field: Any, foreground: Any, ends: Any, steps: int, first: int, end: int, arrivals: Any) -> None:
    """See follow; the tiles from `first` on, in reading order."""
    across = (foreground.shape[1] + TILE - 1) // TILE
    for tile in prange(first, end):
        _follow_tile(field, foreground, ends, steps, tile // across * TILE, tile % across * TILE, arrivals)


@njit
def _follow_tile(field: Any, foreground: Any, ends: Any, steps: int, top: int, left: int, arrivals: Any) -> None:
    """The points of a tile go step by step together; the processor works on several of them at a time."""
    height, width = foreground.shape
    pixels = np.empty(TILE * TILE, np.int64)
    y, x = np.empty(TILE * TILE), np.empty(TILE * TILE)
    earlier_y, earlier_x = np.empty(TILE * TILE), np.empty(TILE * TILE)
    points = 0
    for row in range(top, min(top + TILE, height)):
        for column in range(left, min(left + TILE, width)):
            if foreground[row, column]:
                pixels[points] = row * width + column
                earlier_y[points], earlier_x[points] = row, column
                # The first step needs no interpolation.
                y[points] = min(max(row + field[row, column, 0], 0.0), height - 1.0)
                x[points] = min(max(column + field[row, column, 1], 0.0), width - 1.0)
                points += 1
    flow, goals, is_end = field.ravel(), arrivals.ravel(), ends.ravel()
    for pair in range(steps // 2):
        if pair > 0:
            for i in range(points):
                y[i], x[i] = _moved(flow, height, width, y[i], x[i])
        moving = 0
        for i in range(points):
            square = np.uint64(int(y[i]) * width + int(x[i]))
            to_y, to_x = _moved(flow, height, width, y[i], x[i])
            goals[np.uint64(pixels[i])] = int(to_y) * width + int(to_x)
            # Two steps apart, because points near a centre may swing from side to side for ever.
            far = (abs(to_y - earlier_y[i]) >= STILL) | (abs(to_x - earlier_x[i]) >= STILL)
            # Without a branch, which the processor would often guess wrong: the next takes the place of one at rest.
            y[moving] = earlier_y[moving] = to_y
            x[moving] = earlier_x[moving] = to_x
            pixels[moving] = pixels[i]
            moving += far & ~is_end[square]
        points = moving
        if points == 0:
            return
    if steps % 2:
        for i in range(points):
            if steps > 1:
                y[i], x[i] = _moved(flow, height, width, y[i], x[i])
            goals[pixels[i]] = int(y[i]) * width + int(x[i])


@njit(inline="always")
def _moved(flow: Any, height: int, width: int, y: float, x: float) -> tuple[float, float]:
    """Where the bilinear flow brings a point, not beyond the image."""
    row, column = int(y), int(x)
    fy, fx = y - row, x - column
    gy, gx = 1 - fy, 1 - fx
    a, b, c, d = gy * gx, gy * fx, fy * gx, fy * fx
    # Unsigned, so that numba need not look for negative ones.
    at = np.uint64(2 * (row * (width + 1) + column))
    under = at + np.uint64(2 * (width + 1))
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    to_y = y + (a * flow[at] + b * flow[at + two] + c * flow[under] + d * flow[under + two])
    to_x = x + (a * flow[at + one] + b * flow[at + three] + c * flow[under + one] + d * flow[under + three])
    # Not min and max, which numba makes slower; what is not a number goes to 0 this way.
    to_y, to_x = to_y if to_y > 0 else 0.0, to_x if to_x > 0 else 0.0
    return to_y if to_y < height - 1 else height - 1.0, to_x if to_x < width - 1 else width - 1.0
