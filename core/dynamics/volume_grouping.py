"""Points of arrival in a volume become objects: voxels that meet belong together; as `grouping` for planes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.dynamics.grouping import histogram_of, strongest_last
from cellspan.core.dynamics.steps import REACH, SEED, TAIL
from cellspan.core.machine.compiled import PARALLEL, njit, parts, prange

# So much is done between two looks whether the work is still wanted, and in one turn, at first; see `parts`.
VOXELS = 2**25
SEEDS = 2**14


def group(arrivals: NDArray[np.int32]) -> NDArray[np.int32]:
    """Labels from points of arrival: local maxima of their histogram found objects and gather what lies around."""
    depth, height, width = arrivals.shape
    histogram = histogram_of(arrivals, VOXELS)
    is_seed = np.zeros(arrivals.shape, bool)
    for first, end in parts(depth, VOXELS // max(height * width, 1)):
        with PARALLEL:
            _find_seeds(histogram, first, end, is_seed)
    seeds = strongest_last(is_seed, histogram)
    catchment = np.zeros(arrivals.shape, np.int32)
    for first, end in parts(len(seeds), SEEDS):
        _gather_all(histogram, seeds, first, end, catchment)
    labels = np.zeros(arrivals.shape, np.int32)
    for first, end in parts(arrivals.size, VOXELS):
        _catch(arrivals.ravel(), catchment.ravel(), first, end, labels.ravel())
    return labels


@njit(parallel=True)
def _find_seeds(histogram: Any, first: int, end: int, seeds: Any) -> None:
    """Local maxima within 5x5x5."""
    _, height, width = histogram.shape
    for z in prange(first, end):
        for y in range(height):
            for x in range(width):
                value = histogram[z, y, x]
                if value > SEED:
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
                    if distance[nz - z0, ny - y0, nx - x0] < 0 and histogram[nz, ny, nx] > TAIL:
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
