"""Points of arrival in a plane become objects: pixels that meet belong together.

Stringer et al. 2021, Methods, "Gradient tracking": objects from the histogram of the points of arrival.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.dynamics.steps import REACH, SEED, TAIL
from cellspan.core.machine.compiled import njit, parts
from cellspan.core.objects.labels import Labels

# So much is done between two looks whether the work is still wanted, at first; see `parts`.
PIXELS = 2**24
SEEDS = 2**16


def group(arrivals: NDArray[np.int32]) -> Labels:
    """Labels from points of arrival: local maxima of their histogram found objects and gather what lies around."""
    height, width = arrivals.shape
    rows = PIXELS // max(width, 1)
    histogram = histogram_of(arrivals, PIXELS)
    is_seed = np.zeros(arrivals.shape, bool)
    for first, end in parts(height, rows):
        _find_seeds(histogram, first, end, is_seed)
    seeds = strongest_last(is_seed, histogram)
    catchment = np.zeros(arrivals.shape, np.int32)
    for first, end in parts(len(seeds), SEEDS):
        _gather_all(histogram, seeds, first, end, catchment)
    labels = np.zeros(arrivals.shape, np.int32)
    for first, end in parts(height, rows):
        _catch(arrivals, catchment.ravel(), first, end, labels)
    return labels


def histogram_of(arrivals: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    """How many points arrive at each pixel or voxel; `size` of them are counted between two looks, see `parts`."""
    histogram = np.zeros(arrivals.shape, np.int32)
    for first, end in parts(arrivals.size, size):
        _count(arrivals.ravel(), first, end, histogram.ravel())
    return histogram


def strongest_last(is_seed: NDArray[np.bool_], histogram: NDArray[np.int32]) -> NDArray[np.int64]:
    """Flat indices of the seeds: the strongest last, because it takes what it shares with others.

    Among equals, the first in reading order comes last.
    """
    seeds = np.flatnonzero(is_seed)
    return seeds[np.lexsort((-seeds, histogram.ravel()[seeds]))]


@njit
def _count(arrivals: Any, first: int, end: int, histogram: Any) -> None:
    """See histogram_of."""
    for i in range(first, end):
        if arrivals[i] >= 0:
            histogram[arrivals[i]] += 1


@njit
def _find_seeds(histogram: Any, first: int, end: int, seeds: Any) -> None:
    """Local maxima within 5x5."""
    height, width = histogram.shape
    for y in range(first, end):
        for x in range(width):
            value = histogram[y, x]
            if value <= SEED:
                continue
            best = True
            for ny in range(max(0, y - 2), min(height, y + 3)):
                for nx in range(max(0, x - 2), min(width, x + 3)):
                    if histogram[ny, nx] > value:
                        best = False
            seeds[y, x] = best


@njit
def _gather_all(histogram: Any, seeds: Any, first: int, end: int, catchment: Any) -> None:
    """The number of the seed that gathers what arrives at each pixel; 0 = none."""
    for k in range(first, end):
        _gather(histogram, seeds[k] // histogram.shape[1], seeds[k] % histogram.shape[1], k + 1, catchment)


@njit
def _catch(arrivals: Any, catchment: Any, first: int, end: int, labels: Any) -> None:
    """Every pixel gets the number of the seed that gathered its point of arrival."""
    for y in range(first, end):
        for x in range(arrivals.shape[1]):
            if arrivals[y, x] >= 0:
                labels[y, x] = catchment[arrivals[y, x]]


@njit
def _gather(histogram: Any, seed_y: int, seed_x: int, label: int, catchment: Any) -> None:
    """Grow a seed over neighbouring points of arrival, at most REACH steps."""
    height, width = histogram.shape
    size = 2 * REACH + 1
    distance = np.full((size, size), -1, np.int32)
    queue = np.empty((size * size, 2), np.int32)
    queue[0, 0], queue[0, 1] = seed_y, seed_x
    distance[REACH, REACH] = 0
    catchment[seed_y, seed_x] = label
    first, last = 0, 1
    while first < last:
        y, x = queue[first]
        first += 1
        steps = distance[y - seed_y + REACH, x - seed_x + REACH]
        if steps == REACH:
            continue
        for ny in range(max(0, y - 1), min(height, y + 2)):
            for nx in range(max(0, x - 1), min(width, x + 2)):
                new = distance[ny - seed_y + REACH, nx - seed_x + REACH] < 0
                if new and histogram[ny, nx] > TAIL:
                    distance[ny - seed_y + REACH, nx - seed_x + REACH] = steps + 1
                    catchment[ny, nx] = label
                    queue[last, 0], queue[last, 1] = ny, nx
                    last += 1
