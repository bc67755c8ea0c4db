"""Flow fields to label images: every pixel follows the flow; pixels that meet are one object.

Stringer et al. 2021, Methods, "Gradient tracking": Euler integration with bilinear interpolation, objects from the
histogram of the points of arrival, and a check of each object against the flows that its outline implies.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellspan.core.compiled import PARALLEL, njit, parts, prange
from cellspan.core.errors import CellspanError
from cellspan.core.flows import flow_errors, labels_to_flows
from cellspan.core.labels import (
    Labels,
    areas,
    drop_on_edges,
    fill_holes,
    in_reading_order,
    keep,
    largest_pieces,
    on_edges,
)
from cellspan.core.parameters import Parameters
from cellspan.core.runs import largest_of, pieces_of, runs_of
from cellspan.core.volumes.tracking import follow, group

SEED_PIXELS = 10  # a point of arrival needs more pixels than this to found an object
TAIL_PIXELS = 2  # neighbouring points of arrival with more pixels than this join the object
REACH = 5  # so many steps from its seed an object gathers points of arrival
STEPS = 200  # for objects of the reference diameter
REFERENCE_DIAMETER = 30.0
STILL = 0.01  # pixels: a point that is this close to where it was two steps ago has arrived

# So much is done between two looks whether the work is still wanted, and in one turn, at first; see `parts`. It is
# little, because a small image beside this needs several turns.
POINT_STEPS = 2**23  # steps of pixels, if none arrives before the last one
TILES = 4  # but at least so many tiles, for several processors
PIXELS = 2**24
SEEDS = 2**16
TILE = 32  # pixels: points of a square of this side are followed together, so that their surroundings stay in the cache
INWARDS = 1e-4  # pixels from its edges within which rounding might bring a point out of a square of pixels


@dataclass(frozen=True)
class Objects:
    """What was found: labels 1..n and, unless all flow errors were allowed, the flow error of each (n,)."""

    labels: Labels
    errors: NDArray[np.float64] | None


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
    return _found(flows, probability, parameters or Parameters(), diameter)[1].labels


def flows_to_objects(
    flows: ArrayLike,
    probability: ArrayLike,
    parameters: Parameters | None = None,
    diameter: float | None = None,
) -> Objects:
    """As flows_to_labels, with the flow errors of these labels, most of which are known from judging the objects.

    With `parameters.flow_threshold` 0 none is computed.
    """
    flow, judged = _found(flows, probability, parameters or Parameters(), diameter)
    if judged.errors is None:
        return Objects(judged.labels, None)
    errors = judged.errors.copy()
    errors[judged.changed] = flow_errors(judged.labels, flow, np.flatnonzero(judged.changed) + 1)
    return Objects(judged.labels, errors)


def _found(
    flows: ArrayLike, probability: ArrayLike, parameters: Parameters, diameter: float | None
) -> tuple[NDArray[np.float32], _Judged]:
    """The flows as 32-bit numbers, and what they lead to."""
    flow = np.ascontiguousarray(flows, np.float32)
    logits = np.ascontiguousarray(probability, np.float32)
    check_shapes(flow.shape, logits.shape)
    steps = parameters.iterations or iterations_for(diameter or parameters.diameter)
    found = _group(_follow(flow, logits, parameters.cellprob_threshold, steps))
    return flow, _judged(found, parameters, lambda labels: flow_errors(labels, flow))


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
    return _judged(found, parameters, errors).labels


@dataclass(frozen=True)
class _Judged:
    """Labels 1..n; their flow errors, if any were asked for; and whose shapes have changed since then."""

    labels: Labels
    errors: NDArray[np.float64] | None
    changed: NDArray[np.bool_]


def _judged(found: Labels, parameters: Parameters, errors_of: Callable[[Labels], NDArray[np.float64]]) -> _Judged:
    """See cleaned."""
    labels = _single_pieces(found, parameters.max_size_fraction * found.size)
    errors = None
    if parameters.flow_threshold > 0:
        errors = errors_of(labels)
        good = errors <= parameters.flow_threshold
        labels, errors = _kept(labels, good), errors[good]
    sizes = areas(labels)
    before = sizes
    if parameters.fill_holes:
        labels = fill_holes(labels)
        sizes = areas(labels, len(before))
    wanted = sizes >= max(parameters.min_size, 1)
    labels = _kept(labels, wanted)
    changed = (sizes != before)[wanted]
    errors = None if errors is None else errors[wanted]
    if parameters.exclude_on_edges:
        inner = ~on_edges(labels, len(changed))
        labels, changed = _kept(labels, inner), changed[inner]
        errors = None if errors is None else errors[inner]
    return _Judged(labels, errors, changed)


def _kept(labels: Labels, wanted: NDArray[np.bool_]) -> Labels:
    """As keep, but the labels themselves if all are wanted."""
    return labels if wanted.all() else keep(labels, wanted)


def _single_pieces(found: Labels, most: float) -> Labels:
    """Each object's largest piece, without those of more than `most` pixels, numbered in reading order."""
    if found.ndim == 3:
        labels = in_reading_order(largest_pieces(found))
        return _kept(labels, areas(labels) <= most)
    count = int(found.max(initial=0))
    runs = runs_of(found)
    numbers = largest_of(runs, pieces_of(runs, count), count)
    sizes = np.bincount(numbers, runs.lengths, minlength=count + 1)
    numbers[sizes[numbers] > most] = 0
    return runs.painted(in_reading_order(numbers))


def warm_up() -> None:
    """Load the compiled loops (0.7 s; once per installation 20 s to compile them), for a thread beside the network."""
    squares = np.zeros((16, 48), np.int32)
    squares[4:12, 4:12], squares[4:12, 20:28], squares[4:12, 36:44] = 1, 2, 3
    for labels in (
        squares,
        np.where(squares == 1, 1, 0).astype(np.int32),
    ):  # one object is judged in another way than many
        logits = np.where(labels > 0, 1.0, -1.0)
        logits[6, 6] = -1  # a hole
        flows_to_objects(labels_to_flows(labels), logits, Parameters(max_size_fraction=1, flow_threshold=4))


def drop_unwanted(labels: Labels, parameters: Parameters) -> Labels:
    """Without objects under `min_size` pixels and, if `exclude_on_edges`, those at the border; renumbered."""
    labels = keep(labels, areas(labels) >= max(parameters.min_size, 1))
    return drop_on_edges(labels) if parameters.exclude_on_edges else labels


def iterations_for(diameter: float | None) -> int:
    """Steps that bring the far end of an object of this diameter (pixels) to its centre: 200 at 30 pixels."""
    return max(STEPS, round(STEPS * (diameter or 0) / REFERENCE_DIAMETER))


def _follow(flow: NDArray[np.float32], logits: NDArray[np.float32], threshold: float, steps: int) -> NDArray[np.int32]:
    """Where every foreground pixel arrives, as an index into the flat image; -1 in the background."""
    if logits.ndim == 3:
        return follow(flow, _foreground(flow, logits, threshold), steps)
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


def _foreground(flow: NDArray[np.float32], logits: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """What belongs to objects; pixels without a direction (NaN, infinite) belong to nothing."""
    foreground = logits > threshold
    for component in flow:
        for first, end in parts(len(component), PIXELS // max(component[0].size, 1)):
            foreground[first:end] &= np.isfinite(component[first:end])
    return foreground


@njit
def _interleave(
    flow: Any, logits: Any, threshold: float, first: int, end: int, foreground: Any, field: Any, quadrants: Any
) -> None:
    """Fill rows of the foreground (see _foreground), of the field and of the quadrants.

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
    """See _follow; the tiles from `first` on, in reading order."""
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


def _group(arrivals: NDArray[np.int32]) -> Labels:
    """Labels from points of arrival: local maxima of their histogram found objects and gather what lies around."""
    if arrivals.ndim == 3:
        return group(arrivals)
    height, width = arrivals.shape
    rows = PIXELS // max(width, 1)
    histogram = np.zeros(arrivals.shape, np.int32)
    for first, end in parts(arrivals.size, PIXELS):
        _count(arrivals.ravel(), first, end, histogram.ravel())
    is_seed = np.zeros(arrivals.shape, bool)
    for first, end in parts(height, rows):
        _find_seeds(histogram, first, end, is_seed)
    seeds = np.flatnonzero(is_seed)
    # The strongest seed last, because it takes what it shares with others; among equals the first in reading order.
    seeds = seeds[np.lexsort((-seeds, histogram.ravel()[seeds]))]
    catchment = np.zeros(arrivals.shape, np.int32)
    for first, end in parts(len(seeds), SEEDS):
        _gather_all(histogram, seeds, first, end, catchment)
    labels = np.zeros(arrivals.shape, np.int32)
    for first, end in parts(height, rows):
        _catch(arrivals, catchment.ravel(), first, end, labels)
    return labels


@njit
def _count(arrivals: Any, first: int, end: int, histogram: Any) -> None:
    """How many pixels arrive at each."""
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
            if value <= SEED_PIXELS:
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
                if new and histogram[ny, nx] > TAIL_PIXELS:
                    distance[ny - seed_y + REACH, nx - seed_x + REACH] = steps + 1
                    catchment[ny, nx] = label
                    queue[last, 0], queue[last, 1] = ny, nx
                    last += 1
