"""Flow fields to label images: every pixel follows the flow; pixels that meet are one object.

Stringer et al. 2021, Methods, "Gradient tracking": Euler integration with bilinear interpolation, objects from the
histogram of the points of arrival, and a check of each object against the flows that its outline implies.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellspan.core.boxes import label_boxes
from cellspan.core.compiled import PARALLEL, njit, prange
from cellspan.core.errors import CellspanError
from cellspan.core.flows import labels_to_flows
from cellspan.core.labels import Labels, areas, drop_on_edges, fill_holes, in_reading_order, keep, largest_pieces
from cellspan.core.parameters import Parameters
from cellspan.core.volumes.tracking import direction_errors, follow, group

SEED_PIXELS = 10  # a point of arrival needs more pixels than this to found an object
TAIL_PIXELS = 2  # neighbouring points of arrival with more pixels than this join the object
REACH = 5  # so many steps from its seed an object gathers points of arrival
STEPS = 200  # for objects of the reference diameter
REFERENCE_DIAMETER = 30.0
STILL = 0.01  # pixels: a point that is this close to where it was two steps ago has arrived


def flows_to_labels(
    flows: ArrayLike,
    probability: ArrayLike,
    parameters: Parameters | None = None,
    diameter: float | None = None,
) -> Labels:
    """Flows (2, Y, X) in pixels per step and probability (Y, X) as logits -> labels (Y, X), 1..n.

    Of a volume with cubic voxels: flows (3, Z, Y, X), probability and labels (Z, Y, X).

    `diameter` in pixels sets the number of steps when `parameters.iterations` is None.
    Every object is one piece (4-connected, so that one outline describes it; in volumes, by faces of voxels).
    """
    parameters = parameters or Parameters()
    flow = np.ascontiguousarray(flows, np.float32)
    logits = np.ascontiguousarray(probability, np.float32)
    check_shapes(flow.shape, logits.shape)
    steps = parameters.iterations or iterations_for(diameter or parameters.diameter)
    found = _group(_follow(flow, logits, parameters.cellprob_threshold, steps))
    return cleaned(found, parameters, lambda labels: flow_errors(labels, flow))


def check_shapes(flows: tuple[int, ...], logits: tuple[int, ...]) -> None:
    """Refuse outputs of the wrong shape, or too large for 32-bit numbers; raises CellspanError."""
    if len(logits) not in (2, 3) or flows != (len(logits), *logits):
        raise CellspanError(
            "Flows must be (2, Y, X) and the probability (Y, X), or (3, Z, Y, X) and (Z, Y, X), "
            f"not {flows} and {logits}."
        )
    if math.prod(logits) > np.iinfo(np.int32).max:
        raise CellspanError(f"An image of {' x '.join(map(str, logits))} pixels is too large; cut it into parts.")


def cleaned(found: Labels, parameters: Parameters, errors: Callable[[Labels], NDArray[np.float64]]) -> Labels:
    """What the dynamics found, less what the parameters refuse; `errors` gives the flow error of each label."""
    labels = in_reading_order(largest_pieces(found))
    sizes = areas(labels)
    labels = keep(labels, (sizes > 0) & (sizes <= parameters.max_size_fraction * labels.size))
    if parameters.flow_threshold > 0:
        labels = keep(labels, errors(labels) <= parameters.flow_threshold)
    if parameters.fill_holes:
        labels = fill_holes(labels)
    return drop_unwanted(labels, parameters)


def warm_up() -> None:
    """Load the compiled loops (0.7 s; once per installation 20 s to compile them), for a thread beside the network."""
    square = np.zeros((16, 16), np.int32)
    square[4:12, 4:12] = 1
    flows_to_labels(labels_to_flows(square), np.where(square > 0, 1.0, -1.0), Parameters(max_size_fraction=1))


def drop_unwanted(labels: Labels, parameters: Parameters) -> Labels:
    """Without objects under `min_size` pixels and, if `exclude_on_edges`, those at the border; renumbered."""
    labels = keep(labels, areas(labels) >= max(parameters.min_size, 1))
    return drop_on_edges(labels) if parameters.exclude_on_edges else labels


def iterations_for(diameter: float | None) -> int:
    """Steps that bring the far end of an object of this diameter (pixels) to its centre: 200 at 30 pixels."""
    return max(STEPS, round(STEPS * (diameter or 0) / REFERENCE_DIAMETER))


def flow_errors(labels: Labels, flows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean squared difference between each object's flows and those its shape implies; (n,) for labels 1..n.

    In volumes, where flows averaged over slices are shorter than 1, only their directions are compared.
    """
    if labels.ndim == 3:
        return direction_errors(labels, flows)
    count = int(labels.max(initial=0))
    return _mean_squared_difference(labels, count, labels_to_flows(labels), flows)


def _follow(flow: NDArray[np.float32], logits: NDArray[np.float32], threshold: float, steps: int) -> NDArray[np.int32]:
    """Where every foreground pixel arrives, as an index into the flat image; -1 in the background."""
    foreground = logits > threshold
    for component in flow:
        # Pixels without a direction (NaN, infinite) belong to nothing.
        foreground &= np.isfinite(component)
    if logits.ndim == 3:
        return follow(flow, foreground, steps)
    with PARALLEL:
        return np.asarray(_arrivals(flow, foreground, steps))


@njit
def _mean_squared_difference(labels: Any, count: int, ours: Any, theirs: Any) -> Any:
    boxes, areas = label_boxes(labels, count)
    errors = np.zeros(count)
    for k in range(count):
        y0, x0, y1, x1 = boxes[k]
        total = 0.0
        for y in range(y0, y1):
            for x in range(x0, x1):
                if labels[y, x] == k + 1:
                    dy = ours[0, y, x] - theirs[0, y, x]
                    dx = ours[1, y, x] - theirs[1, y, x]
                    total += dy * dy + dx * dx
        errors[k] = total / max(areas[k], 1)
    return errors


@njit(inline="always")
def _flow_at(flow: Any, foreground: Any, y: float, x: float) -> tuple[float, float]:
    """Bilinear flow at a point; background pixels count as standing still."""
    height, width = foreground.shape
    iy, ix = int(y), int(x)
    fy, fx = y - iy, x - ix
    jy, jx = min(iy + 1, height - 1), min(ix + 1, width - 1)
    dy = dx = 0.0
    if foreground[iy, ix]:
        w = (1 - fy) * (1 - fx)
        dy += w * flow[0, iy, ix]
        dx += w * flow[1, iy, ix]
    if foreground[iy, jx]:
        w = (1 - fy) * fx
        dy += w * flow[0, iy, jx]
        dx += w * flow[1, iy, jx]
    if foreground[jy, ix]:
        w = fy * (1 - fx)
        dy += w * flow[0, jy, ix]
        dx += w * flow[1, jy, ix]
    if foreground[jy, jx]:
        w = fy * fx
        dy += w * flow[0, jy, jx]
        dx += w * flow[1, jy, jx]
    return dy, dx


@njit(parallel=True)
def _arrivals(flow: Any, foreground: Any, steps: int) -> Any:
    """See _follow."""
    height, width = foreground.shape
    arrivals = np.full((height, width), -1, np.int32)
    for row in prange(height):
        for column in range(width):
            if not foreground[row, column]:
                continue
            y, x = float(row), float(column)
            earlier_y, earlier_x = y, x
            for step in range(steps):
                dy, dx = _flow_at(flow, foreground, y, x)
                y = min(max(y + dy, 0.0), height - 1.0)
                x = min(max(x + dx, 0.0), width - 1.0)
                # Two steps apart, because points near a centre may swing from side to side for ever.
                if step & 1:
                    if abs(y - earlier_y) < STILL and abs(x - earlier_x) < STILL:
                        break
                    earlier_y, earlier_x = y, x
            arrivals[row, column] = int(y) * width + int(x)
    return arrivals


def _group(arrivals: NDArray[np.int32]) -> Labels:
    """Labels from points of arrival: local maxima of their histogram found objects and gather what lies around."""
    if arrivals.ndim == 3:
        return group(arrivals)
    histogram = _histogram(arrivals)
    y, x = np.nonzero(_is_seed(histogram))
    # The strongest seed last, because it takes what it shares with others; among equals the first in reading order.
    order = np.lexsort((-np.arange(len(y)), histogram[y, x]))
    catchment = _catchments(histogram, y[order], x[order])
    return np.asarray(_caught(arrivals, catchment))


@njit
def _histogram(arrivals: Any) -> Any:
    """How many pixels arrive at each."""
    height, width = arrivals.shape
    histogram = np.zeros(height * width, np.int32)
    for arrival in arrivals.ravel():
        if arrival >= 0:
            histogram[arrival] += 1
    return histogram.reshape(height, width)


@njit
def _is_seed(histogram: Any) -> Any:
    """Local maxima within 5x5."""
    height, width = histogram.shape
    seeds = np.zeros((height, width), np.bool_)
    for y in range(height):
        for x in range(width):
            value = histogram[y, x]
            if value <= SEED_PIXELS:
                continue
            best = True
            for ny in range(max(0, y - 2), min(height, y + 3)):
                for nx in range(max(0, x - 2), min(width, x + 3)):
                    if histogram[ny, nx] > value:
                        best = False
            seeds[y, x] = best
    return seeds


@njit
def _catchments(histogram: Any, seed_y: Any, seed_x: Any) -> Any:
    """The number of the seed that gathers what arrives at each pixel; 0 = none."""
    catchment = np.zeros(histogram.shape, np.int32)
    for k in range(len(seed_y)):
        _gather(histogram, seed_y[k], seed_x[k], k + 1, catchment)
    return catchment


@njit
def _caught(arrivals: Any, catchment: Any) -> Any:
    """Every pixel gets the number of the seed that gathered its point of arrival."""
    labels = np.zeros(arrivals.size, np.int32)
    seeds = catchment.ravel()
    flat = arrivals.ravel()
    for i in range(len(flat)):
        if flat[i] >= 0:
            labels[i] = seeds[flat[i]]
    return labels.reshape(arrivals.shape)


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
                if new and histogram[ny, nx] > TAIL_PIXELS:
                    distance[ny - seed_y + REACH, nx - seed_x + REACH] = steps + 1
                    catchment[ny, nx] = label
                    queue[last, 0], queue[last, 1] = ny, nx
                    last += 1
