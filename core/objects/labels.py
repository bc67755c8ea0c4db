"""Label images: checking, renumbering, single pieces, holes, borders, diameters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.machine.cancelling import checkpoint
from cellspan.core.machine.compiled import njit, parts
from cellspan.core.objects.pieces import fill_holes_3d, largest_pieces_3d
from cellspan.core.objects.runs import largest_of, pieces_of, runs_of

Labels = NDArray[np.int32]
ROWS = 1024  # of an image that are worked on at once where memory matters
PIXELS = 2**24  # that are worked on between two looks whether the work is still wanted: 0.1 to 0.3 s


def as_labels(labels: ArrayLike) -> Labels:
    """Check a label image and give it as contiguous int32 (Y, X) or (Z, Y, X); raises CellspanError."""
    array = np.asarray(labels)
    if array.ndim not in (2, 3):
        raise CellspanError(f"A label image has 2 or 3 axes (Y, X or Z, Y, X), not the shape {array.shape}.")
    if array.dtype == bool:
        array = array.astype(np.int32)
    if not np.issubdtype(array.dtype, np.integer):
        if not np.all(np.isfinite(array)) or np.any(array != np.floor(array)):
            raise CellspanError("A label image holds whole numbers, but this one has fractions, NaN or infinities.")
        array = array.astype(np.int64)
    if array.size and (array.min() < 0 or array.max() > np.iinfo(np.int32).max):
        raise CellspanError("A label image holds numbers from 0 to 2147483647.")
    return np.ascontiguousarray(array, dtype=np.int32)


def of_one_shape(true: ArrayLike, predicted: ArrayLike) -> tuple[Labels, Labels]:
    """Two label images to compare, see `as_labels`; raises CellspanError if their shapes differ."""
    first, second = as_labels(true), as_labels(predicted)
    if first.shape != second.shape:
        raise CellspanError(f"Label images to compare must have one shape, not {first.shape} and {second.shape}.")
    return first, second


def file_type(count: int) -> type[np.unsignedinteger[Any]]:
    """The type of label files for this many objects: 16 bit where they fit, which every program reads, else 32 bit."""
    return np.uint16 if count <= np.iinfo(np.uint16).max else np.uint32


def renumber(labels: Labels) -> Labels:
    """Labels 1..n without gaps, in their old order."""
    if not _dense(labels):
        values, inverse = np.unique(labels, return_inverse=True)
        shift = 0 if values.size and values[0] == 0 else 1
        return (inverse.reshape(labels.shape) + shift).astype(np.int32)
    return keep(labels, areas(labels) > 0)


def in_reading_order(labels: Labels) -> Labels:
    """Labels 1..n numbered by their first pixels, row by row from the top, as CellProfiler and ImageJ count."""
    table = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    last = 0
    for first, end in parts(labels.size, PIXELS):
        last = _rank(labels.ravel(), first, end, last, table)
    return renumbered_by(labels, table)


def areas(labels: Labels, count: int | None = None) -> NDArray[np.int64]:
    """Pixels of each of the labels 1..count, which is n by default; 0 for numbers that are missing."""
    sizes = np.zeros((int(labels.max(initial=0)) if count is None else count) + 1, np.int64)
    for first, end in parts(labels.size, PIXELS):
        _add_areas(labels.ravel(), first, end, sizes)
    return sizes[1:]


def _dense(labels: Labels) -> bool:
    """Whether a table with one entry per number is smaller than sorting all pixels."""
    return labels.size > 0 and int(labels.max()) <= 4 * labels.size + 1024


def object_means(labels: Labels, values: NDArray[Any], sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean of `values` within each of the labels 1..n, both (Y, X) or (Z, Y, X); `sizes` are their areas."""
    count = len(sizes)
    sums = np.zeros(count + 1)
    step = max(1, ROWS // labels[0].size * labels.shape[-1]) if labels.ndim == 3 else ROWS
    for start in range(0, len(labels), step):  # numpy makes 64-bit copies of labels and values
        block = slice(start, start + step)
        sums += np.bincount(labels[block].ravel(), values[block].ravel(), minlength=count + 1)
    return np.asarray(sums[1:] / np.maximum(sizes, 1))


def keep(labels: Labels, wanted: NDArray[np.bool_]) -> Labels:
    """Only the labels k with wanted[k - 1], renumbered 1..n."""
    table = np.zeros(len(wanted) + 1, np.int32)
    table[1:][wanted] = np.arange(1, np.count_nonzero(wanted) + 1)
    return renumbered_by(labels, table)


def renumbered_by(labels: Labels, table: NDArray[np.int32]) -> Labels:
    """`table[labels]`, but without numpy's copy of all labels in 64 bits, which large images cannot afford."""
    result = np.empty(labels.shape, np.int32)
    for first, end in parts(labels.size, PIXELS):
        _look_up(labels.ravel(), table, first, end, result.ravel())
    return result


def drop_on_edges(labels: Labels) -> Labels:
    """Without the objects that touch the border of the image or a face of the volume, renumbered."""
    return keep(labels, ~on_edges(labels, int(labels.max(initial=0))))


def on_edges(labels: Labels, count: int) -> NDArray[np.bool_]:
    """Which of the labels 1..count touch the border of the image or a face of the volume."""
    touching = np.zeros(count + 1, bool)
    for axis in range(labels.ndim):
        touching[labels.take((0, -1), axis)] = True
    return touching[1:]


def diameters(labels: Labels) -> NDArray[np.float64]:
    """Diameter in pixels of the circle with each object's area (or the ball with its volume), for labels 1..n."""
    sizes = areas(labels)
    sizes = sizes[sizes > 0]
    return np.asarray(2 * np.sqrt(sizes / np.pi) if labels.ndim == 2 else 2 * np.cbrt(sizes * 3 / (4 * np.pi)))


def median_diameter(labels: Labels) -> float:
    """Median of the objects' diameters in pixels; 0 without objects."""
    sizes = diameters(labels)
    return float(np.median(sizes)) if sizes.size else 0.0


def resize_labels(labels: Labels, shape: tuple[int, int]) -> Labels:
    """Labels at another height and width: each pixel has the label that is at its centre.

    OpenCV's INTER_NEAREST looks at the pixel's corner instead, and labels lie up to half a pixel beside their image.
    """
    rows, columns = (
        ((np.arange(new) + 0.5) * (old / new)).astype(np.intp) for new, old in zip(shape, labels.shape, strict=True)
    )
    return np.ascontiguousarray(labels.take(rows, axis=0).take(columns, axis=1), np.int32)


@njit
def _add_areas(labels: Any, first: int, end: int, sizes: Any) -> None:
    """Add the pixels of each label, the background included."""
    label, start = 0, first
    for i in range(first, end):
        # Neighbours mostly belong together, so that a table is touched once for all of them.
        if labels[i] != label:
            sizes[label] += i - start
            label, start = labels[i], i
    sizes[label] += end - start


@njit
def _look_up(labels: Any, table: Any, first: int, end: int, result: Any) -> None:
    for i in range(first, end):
        result[i] = table[labels[i]]


@njit
def _rank(labels: Any, first: int, end: int, last: int, table: Any) -> int:
    """Give labels that are not in the table yet the numbers after `last`; the last number then."""
    for i in range(first, end):
        if labels[i] and table[labels[i]] == 0:
            last += 1
            table[labels[i]] = last
    return last


def largest_pieces(labels: Labels) -> Labels:
    """Each object cut down to its largest 4-connected piece (the first in reading order if equal), same numbers.

    In a volume a piece is what hangs together by faces of voxels.
    """
    if labels.ndim == 3:
        return largest_pieces_3d(labels)
    count = int(labels.max(initial=0))
    runs = runs_of(labels)
    return runs.painted(largest_of(runs, pieces_of(runs, count), count))


def fill_holes(labels: Labels) -> Labels:
    """Every object without holes, in ascending order: what a hole of an object encloses becomes that object."""
    if labels.ndim == 3:
        return fill_holes_3d(labels)
    count = int(labels.max(initial=0))
    runs = runs_of(labels)
    open_objects = np.flatnonzero(pieces_of(runs, count).holes)
    result = labels.copy()
    if len(open_objects):
        boxes, _ = runs.boxes(runs.labels, count)
        for k in open_objects:
            _fill_holes(result, int(k) + 1, boxes[k])
    return result


def _fill_holes(labels: Labels, label: int, box: NDArray[np.int32]) -> None:
    """Flood the outside of an object (8-connected, as the object is 4-connected) in its box; fill the rest."""
    outside, stack, depth = _border(labels, label, box)
    while depth:
        checkpoint()
        depth = _flood(labels, label, box, outside, stack, depth, PIXELS)
    _fill(labels, label, box, outside)


@njit
def _border(labels: Any, label: int, box: Any) -> tuple[Any, Any, int]:
    """What of the outside is known, those of its pixels whose neighbours are not, and how many these are."""
    y0, x0, y1, x1 = box
    height, width = y1 - y0, x1 - x0
    outside = np.zeros((height, width), np.bool_)
    stack = np.empty((height * width, 2), np.int32)
    depth = 0
    for y in range(height):
        for x in range(width):
            border = y == 0 or x == 0 or y == height - 1 or x == width - 1
            if border and labels[y0 + y, x0 + x] != label:
                outside[y, x] = True
                stack[depth, 0], stack[depth, 1] = y, x
                depth += 1
    return outside, stack, depth


@njit
def _flood(labels: Any, label: int, box: Any, outside: Any, stack: Any, depth: int, most: int) -> int:
    """Continue from a limited number of the pixels on the stack; how many are left."""
    height, width = outside.shape
    for _ in range(most):
        if depth == 0:
            break
        depth -= 1
        y, x = stack[depth]
        for ny in range(max(0, y - 1), min(height, y + 2)):
            for nx in range(max(0, x - 1), min(width, x + 2)):
                if not outside[ny, nx] and labels[box[0] + ny, box[1] + nx] != label:
                    outside[ny, nx] = True
                    stack[depth, 0], stack[depth, 1] = ny, nx
                    depth += 1
    return depth


@njit
def _fill(labels: Any, label: int, box: Any, outside: Any) -> None:
    for y in range(outside.shape[0]):
        for x in range(outside.shape[1]):
            if not outside[y, x]:
                labels[box[0] + y, box[1] + x] = label
