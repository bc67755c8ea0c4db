"""Gradient tracking along three axes: every voxel follows the flow; voxels that meet are one object.

As core.dynamics does along two axes, with the same thresholds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.compiled import PARALLEL, njit, prange
from cellspan.core.volumes.diffusion import volume_flows

SEED_VOXELS = 10  # a point of arrival needs more voxels than this to found an object
TAIL_VOXELS = 2  # neighbouring points of arrival with more voxels than this join the object
REACH = 5  # so many steps from its seed an object gathers points of arrival
STILL = 0.01  # voxels: a point that is this close to where it was two steps ago has arrived


def follow(flow: NDArray[np.float32], foreground: NDArray[np.bool_], steps: int) -> NDArray[np.int32]:
    """Where every foreground voxel arrives, as an index into the flat volume; -1 in the background; (Z, Y, X)."""
    arrivals = np.full(foreground.shape, -1, np.int32)
    with PARALLEL:
        _arrive(flow, foreground, steps, arrivals)
    return arrivals


def group(arrivals: NDArray[np.int32]) -> NDArray[np.int32]:
    """Labels from points of arrival: local maxima of their histogram found objects and gather what lies around."""
    histogram = np.bincount(arrivals[arrivals >= 0], minlength=arrivals.size).astype(np.int32).reshape(arrivals.shape)
    with PARALLEL:
        z, y, x = np.nonzero(_seeds(histogram))
    # The strongest seed last, because it takes what it shares with others; among equals the first in reading order.
    order = np.lexsort((-np.arange(len(z)), histogram[z, y, x]))
    catchment = np.zeros(arrivals.shape, np.int32)
    _gather_all(histogram, z[order], y[order], x[order], catchment)
    labels = np.zeros(arrivals.shape, np.int32)
    _catch(arrivals.ravel(), catchment.ravel(), labels.ravel())
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
def _arrive(flow: Any, foreground: Any, steps: int, arrivals: Any) -> None:
    """See follow."""
    depth, height, width = foreground.shape
    for row in prange(depth * height):
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


@njit(parallel=True)
def _seeds(histogram: Any) -> Any:
    """Local maxima within 5x5x5."""
    depth, height, width = histogram.shape
    seeds = np.zeros(histogram.shape, np.bool_)
    for z in prange(depth):
        for y in range(height):
            for x in range(width):
                value = histogram[z, y, x]
                if value > SEED_VOXELS:
                    around = histogram[max(0, z - 2) : z + 3, max(0, y - 2) : y + 3, max(0, x - 2) : x + 3]
                    seeds[z, y, x] = value == around.max()
    return seeds


@njit
def _gather_all(histogram: Any, seed_z: Any, seed_y: Any, seed_x: Any, catchment: Any) -> None:
    """The number of the seed that gathers what arrives at each voxel; 0 = none."""
    side = 2 * REACH + 1
    queue = np.empty((side**3, 3), np.int32)
    for k in range(len(seed_z)):
        _gather(histogram, (seed_z[k], seed_y[k], seed_x[k]), k + 1, catchment, queue)


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
def _catch(arrivals: Any, catchment: Any, labels: Any) -> None:
    """Every voxel gets the number of the seed that gathered its point of arrival."""
    for i in range(len(arrivals)):
        if arrivals[i] >= 0:
            labels[i] = catchment[arrivals[i]]


def direction_errors(labels: NDArray[np.int32], flows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean squared difference between the directions of the flows and those that each object's shape implies."""
    sums, counts = _squared_differences(labels, int(labels.max(initial=0)), volume_flows(labels), flows)
    return np.asarray(sums / np.maximum(counts, 1))


@njit
def _squared_differences(labels: Any, count: int, ours: Any, theirs: Any) -> Any:
    sums, counts = np.zeros(count), np.zeros(count)
    for z in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            for x in range(labels.shape[2]):
                k = labels[z, y, x] - 1
                if k < 0:
                    continue
                dz, dy, dx = theirs[0, z, y, x], theirs[1, z, y, x], theirs[2, z, y, x]
                length = max(np.sqrt(dz * dz + dy * dy + dx * dx), 1e-12)
                sums[k] += (
                    (ours[0, z, y, x] - dz / length) ** 2
                    + (ours[1, z, y, x] - dy / length) ** 2
                    + (ours[2, z, y, x] - dx / length) ** 2
                )
                counts[k] += 1
    return sums, counts
