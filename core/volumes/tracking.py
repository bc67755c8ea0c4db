"""Gradient tracking along three axes: every voxel follows the flow; voxels that meet are one object.

As core.dynamics does along two axes, with the same thresholds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.compiled import PARALLEL, njit, parts, prange

SEED_VOXELS = 10  # a point of arrival needs more voxels than this to found an object
TAIL_VOXELS = 2  # neighbouring points of arrival with more voxels than this join the object
REACH = 5  # so many steps from its seed an object gathers points of arrival
STILL = 0.01  # voxels: a point that is this close to where it was two steps ago has arrived

# So much is done between two looks whether the work is still wanted, and in one turn, at first; see `parts`. It is
# little, because a small image beside this needs several turns.
POINT_STEPS = 2**21  # steps of voxels, if none arrives before the last one
ROWS = 4  # but at least so many rows, for several processors
VOXELS = 2**25
SEEDS = 2**14


def follow(flow: NDArray[np.float32], foreground: NDArray[np.bool_], steps: int) -> NDArray[np.int32]:
    """Where every foreground voxel arrives, as an index into the flat volume; -1 in the background; (Z, Y, X)."""
    arrivals = np.full(foreground.shape, -1, np.int32)
    depth, height, width = foreground.shape
    for first, end in parts(depth * height, max(ROWS, POINT_STEPS // max(width * steps, 1))):
        with PARALLEL:
            _arrive(flow, foreground, steps, first, end, arrivals)
    return arrivals


def group(arrivals: NDArray[np.int32]) -> NDArray[np.int32]:
    """Labels from points of arrival: local maxima of their histogram found objects and gather what lies around."""
    depth, height, width = arrivals.shape
    histogram = np.zeros(arrivals.shape, np.int32)
    for first, end in parts(arrivals.size, VOXELS):
        _count(arrivals.ravel(), first, end, histogram.ravel())
    is_seed = np.zeros(arrivals.shape, bool)
    for first, end in parts(depth, VOXELS // max(height * width, 1)):
        with PARALLEL:
            _find_seeds(histogram, first, end, is_seed)
    seeds = np.flatnonzero(is_seed)
    # The strongest seed last, because it takes what it shares with others; among equals the first in reading order.
    seeds = seeds[np.lexsort((-seeds, histogram.ravel()[seeds]))]
    catchment = np.zeros(arrivals.shape, np.int32)
    for first, end in parts(len(seeds), SEEDS):
        _gather_all(histogram, seeds, first, end, catchment)
    labels = np.zeros(arrivals.shape, np.int32)
    for first, end in parts(arrivals.size, VOXELS):
        _catch(arrivals.ravel(), catchment.ravel(), first, end, labels.ravel())
    return labels


@njit(inline="always")
def _flow_at(flow: Any, foreground: Any, z: float, y: float, x: float) -> tuple[float, float, float]:
    """Trilinear flow at a point; background voxels count as standing still."""
    depth, height, width = foreground.shape
    iz, iy, ix = int(z), int(y), int(x)
    fz, fy, fx = z - iz, y - iy, x - ix
    dz = dy = dx = 0.0
    for corner in range(8):
        up, down, right = corner & 1, (corner >> 1) & 1, corner >> 2
        weight = (fz if up else 1 - fz) * (fy if down else 1 - fy) * (fx if right else 1 - fx)
        jz, jy, jx = min(iz + up, depth - 1), min(iy + down, height - 1), min(ix + right, width - 1)
        if weight > 0 and foreground[jz, jy, jx]:
            dz += weight * flow[0, jz, jy, jx]
            dy += weight * flow[1, jz, jy, jx]
            dx += weight * flow[2, jz, jy, jx]
    return dz, dy, dx


@njit(parallel=True)
def _arrive(flow: Any, foreground: Any, steps: int, first: int, end: int, arrivals: Any) -> None:
    """See follow; the rows from `first` on, counted through all planes."""
    depth, height, width = foreground.shape
    for row in prange(first, end):
        plane, line = row // height, row % height
        for column in range(width):
            if not foreground[plane, line, column]:
                continue
            z, y, x = float(plane), float(line), float(column)
            earlier_z, earlier_y, earlier_x = z, y, x
            for step in range(steps):
                dz, dy, dx = _flow_at(flow, foreground, z, y, x)
                z = min(max(z + dz, 0.0), depth - 1.0)
                y = min(max(y + dy, 0.0), height - 1.0)
                x = min(max(x + dx, 0.0), width - 1.0)
                # Two steps apart, because points near a centre may swing from side to side for ever.
                if step & 1:
                    if abs(z - earlier_z) < STILL and abs(y - earlier_y) < STILL and abs(x - earlier_x) < STILL:
                        break
                    earlier_z, earlier_y, earlier_x = z, y, x
            arrivals[plane, line, column] = (int(z) * height + int(y)) * width + int(x)


@njit
def _count(arrivals: Any, first: int, end: int, histogram: Any) -> None:
    """How many voxels arrive at each."""
    for i in range(first, end):
        if arrivals[i] >= 0:
            histogram[arrivals[i]] += 1


@njit(parallel=True)
def _find_seeds(histogram: Any, first: int, end: int, seeds: Any) -> None:
    """Local maxima within 5x5x5."""
    _, height, width = histogram.shape
    for z in prange(first, end):
        for y in range(height):
            for x in range(width):
                value = histogram[z, y, x]
                if value > SEED_VOXELS:
                    around = histogram[max(0, z - 2) : z + 3, max(0, y - 2) : y + 3, max(0, x - 2) : x + 3]
                    seeds[z, y, x] = value == around.max()


@njit
def _gather_all(histogram: Any, seeds: Any, first: int, end: int, catchment: Any) -> None:
    """The number of the seed that gathers what arrives at each voxel; 0 = none."""
    _, height, width = histogram.shape
    side = 2 * REACH + 1
    queue = np.empty((side**3, 3), np.int32)
    for k in range(first, end):
        seed = seeds[k] // (height * width), seeds[k] // width % height, seeds[k] % width
        _gather(histogram, seed, k + 1, catchment, queue)


@njit
def _gather(histogram: Any, seed: tuple[int, int, int], label: int, catchment: Any, queue: Any) -> None:
    """Grow a seed over neighbouring points of arrival, at most REACH steps."""
    depth, height, width = histogram.shape
    z0, y0, x0 = seed[0] - REACH, seed[1] - REACH, seed[2] - REACH
    side = 2 * REACH + 1
    distance = np.full((side, side, side), -1, np.int8)
    queue[0, 0], queue[0, 1], queue[0, 2] = seed
    distance[REACH, REACH, REACH] = 0
    catchment[seed] = label
    first, last = 0, 1
    while first < last:
        z, y, x = queue[first]
        first += 1
        steps = distance[z - z0, y - y0, x - x0]
        if steps == REACH:
            continue
        for nz in range(max(0, z - 1), min(depth, z + 2)):
            for ny in range(max(0, y - 1), min(height, y + 2)):
                for nx in range(max(0, x - 1), min(width, x + 2)):
                    if distance[nz - z0, ny - y0, nx - x0] < 0 and histogram[nz, ny, nx] > TAIL_VOXELS:
                        distance[nz - z0, ny - y0, nx - x0] = steps + 1
                        catchment[nz, ny, nx] = label
                        queue[last, 0], queue[last, 1], queue[last, 2] = nz, ny, nx
                        last += 1


@njit
def _catch(arrivals: Any, catchment: Any, first: int, end: int, labels: Any) -> None:
    """Every voxel gets the number of the seed that gathered its point of arrival."""
    for i in range(first, end):
        if arrivals[i] >= 0:
            labels[i] = catchment[arrivals[i]]
