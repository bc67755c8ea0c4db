"""Flow fields to label images: every pixel follows the flow; pixels that meet are one object.

Stringer et al. 2021, Methods, "Gradient tracking": Euler integration with bilinear interpolation, objects from the
histogram of the points of arrival, and a check of each object against the flows that its outline implies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import ArrayLike, NDArray

from cellspan.core.boxes import label_boxes
from cellspan.core.errors import CellspanError
from cellspan.core.flows import PARALLEL, labels_to_flows
from cellspan.core.labels import Labels, drop_on_edges, fill_holes, keep, largest_pieces
from cellspan.core.parameters import Parameters

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

    `diameter` in pixels sets the number of steps when `parameters.iterations` is None.
    Every object is one 4-connected piece, so that one outline describes it.
    """
    parameters = parameters or Parameters()
    flow = np.ascontiguousarray(flows, np.float32)
    logits = np.ascontiguousarray(probability, np.float32)
    if flow.ndim != 3 or flow.shape[0] != 2 or flow.shape[1:] != logits.shape:
        raise CellspanError(
            f"Flows must be (2, Y, X) and the probability (Y, X), not {flow.shape} and {logits.shape}; "
            "volumes are not supported yet."
        )
    # Pixels without a direction (NaN, infinite) belong to nothing.
    foreground = (logits > parameters.cellprob_threshold) & np.isfinite(flow).all(axis=0)
    steps = parameters.iterations or iterations_for(diameter or parameters.diameter)
    with PARALLEL:
        arrivals = _arrivals(flow, foreground, steps)
    labels = _group(foreground, arrivals)
    labels = largest_pieces(labels)
    labels = _drop_large(labels, parameters.max_size_fraction)
    if parameters.flow_threshold > 0:
        labels = keep(labels, flow_errors(labels, flow) <= parameters.flow_threshold)
    if parameters.fill_holes:
        labels = fill_holes(labels)
    return drop_unwanted(labels, parameters)


def drop_unwanted(labels: Labels, parameters: Parameters) -> Labels:
    """Without objects under `min_size` pixels and, if `exclude_on_edges`, those at the border; renumbered."""
    areas = np.bincount(labels.ravel(), minlength=1)[1:]
    labels = keep(labels, areas >= max(parameters.min_size, 1))
    return drop_on_edges(labels) if parameters.exclude_on_edges else labels


def iterations_for(diameter: float | None) -> int:
    """Steps that bring the far end of an object of this diameter (pixels) to its centre: 200 at 30 pixels."""
    return max(STEPS, round(STEPS * (diameter or 0) / REFERENCE_DIAMETER))


def flow_errors(labels: Labels, flows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean squared difference between each object's flows and those its shape implies; (n,) for labels 1..n."""
    count = int(labels.max(initial=0))
    return _mean_squared_difference(labels, count, labels_to_flows(labels), flows)


def _drop_large(labels: Labels, fraction: float) -> Labels:
    areas = np.bincount(labels.ravel(), minlength=1)[1:]
    return keep(labels, (areas > 0) & (areas <= fraction * labels.size))


@njit(cache=True)
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


@njit(cache=True, inline="always")
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


@njit(cache=True, parallel=True)
def _arrivals(flow: Any, foreground: Any, steps: int) -> Any:
    """Where every foreground pixel arrives, as (Y, X, 2) whole pixels."""
    height, width = foreground.shape
    arrivals = np.zeros((height, width, 2), np.int32)
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
            arrivals[row, column, 0] = int(y)
            arrivals[row, column, 1] = int(x)
    return arrivals


def _group(foreground: NDArray[np.bool_], arrivals: NDArray[np.int32]) -> Labels:
    """Labels from points of arrival: local maxima of their histogram found objects and gather what lies around."""
    histogram = _histogram(foreground, arrivals)
    y, x = np.nonzero(_is_seed(histogram))
    # The strongest seed first; equals in reading order.
    order = np.argsort(-histogram[y, x], kind="stable")
    return _collect(foreground, arrivals, histogram, y[order], x[order])


@njit(cache=True)
def _histogram(foreground: Any, arrivals: Any) -> Any:
    """How many pixels arrive at each."""
    height, width = foreground.shape
    histogram = np.zeros((height, width), np.int32)
    for y in range(height):
        for x in range(width):
            if foreground[y, x]:
                histogram[arrivals[y, x, 0], arrivals[y, x, 1]] += 1
    return histogram


@njit(cache=True)
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


@njit(cache=True)
def _collect(foreground: Any, arrivals: Any, histogram: Any, seed_y: Any, seed_x: Any) -> Any:
    """Every pixel gets the number of the seed that gathered its point of arrival."""
    height, width = foreground.shape
    catchment = np.zeros((height, width), np.int32)
    for k in range(len(seed_y)):
        _gather(histogram, seed_y[k], seed_x[k], k + 1, catchment)
    labels = np.zeros((height, width), np.int32)
    for y in range(height):
        for x in range(width):
            if foreground[y, x]:
                labels[y, x] = catchment[arrivals[y, x, 0], arrivals[y, x, 1]]
    return labels


@njit(cache=True)
def _gather(histogram: Any, seed_y: int, seed_x: int, label: int, catchment: Any) -> None:
    """Grow a seed over neighbouring points of arrival; points that a stronger seed took stay with it."""
    height, width = histogram.shape
    if catchment[seed_y, seed_x]:
        return
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
                free = catchment[ny, nx] == 0 and histogram[ny, nx] > TAIL_PIXELS
                if free and distance[ny - seed_y + REACH, nx - seed_x + REACH] < 0:
                    distance[ny - seed_y + REACH, nx - seed_x + REACH] = steps + 1
                    catchment[ny, nx] = label
                    queue[last, 0], queue[last, 1] = ny, nx
                    last += 1
