"""Label images: checking, renumbering, single pieces, holes, borders, diameters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellspan.core.boxes import label_boxes
from cellspan.core.compiled import njit
from cellspan.core.errors import CellspanError
from cellspan.core.volumes.pieces import fill_holes_3d, largest_pieces_3d

Labels = NDArray[np.int32]
ROWS = 1024  # of an image that are worked on at once where memory matters


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


def file_type(count: int) -> type[np.unsignedinteger[Any]]:
    """The type of label files with so many objects: 16 bit where they fit, which every program reads, else 32 bit."""
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
    return renumbered_by(labels, _ranks_in_reading_order(labels.ravel(), int(labels.max(initial=0))))


def areas(labels: Labels) -> NDArray[np.int64]:
    """Pixels of each of the labels 1..n; 0 for numbers that are missing."""
    return np.asarray(_areas(labels.ravel(), int(labels.max(initial=0))))


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
    _look_up(labels.ravel(), table, result.ravel())
    return result


def drop_on_edges(labels: Labels) -> Labels:
    """Without the objects that touch the border of the image or a face of the volume, renumbered."""
    wanted = np.ones(int(labels.max(initial=0)) + 1, bool)
    for axis in range(labels.ndim):
        wanted[labels.take((0, -1), axis)] = False
    return keep(labels, wanted[1:])


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

    cv2.INTER_NEAREST looks at the pixel's corner instead, so that labels lie up to half a pixel beside their image.
    """
    rows, columns = (
        ((np.arange(new) + 0.5) * (old / new)).astype(np.intp) for new, old in zip(shape, labels.shape, strict=True)
    )
    return np.ascontiguousarray(labels.take(rows, axis=0).take(columns, axis=1), np.int32)


@njit
def _areas(labels: Any, count: int) -> Any:
    sizes = np.zeros(count + 1, np.int64)
    for label in labels:
        sizes[label] += 1
    return sizes[1:]


@njit
def _look_up(labels: Any, table: Any, result: Any) -> None:
    for i in range(len(labels)):
        result[i] = table[labels[i]]


@njit
def _ranks_in_reading_order(labels: Any, count: int) -> Any:
    """Entry k is the new number of label k."""
    table = np.zeros(count + 1, np.int32)
    last = 0
    for label in labels:
        if label and table[label] == 0:
            last += 1
            table[label] = last
    return table


def largest_pieces(labels: Labels) -> Labels:
    """Each object cut down to its largest 4-connected piece (the first in reading order if equal), same numbers.

    In a volume a piece is what hangs together by faces of voxels.
    """
    if labels.ndim == 3:
        return largest_pieces_3d(labels)
    return _largest_pieces(labels, int(labels.max(initial=0)))


@njit
def _root(parents: Any, i: int) -> int:
    while parents[i] != i:
        parents[i] = parents[parents[i]]
        i = parents[i]
    return i


@njit
def _largest_pieces(labels: Any, count: int) -> Any:
    """Union-find over pieces of equal label; pieces are numbered in reading order."""
    height, width = labels.shape
    piece = np.zeros((height, width), np.int32)
    parents = np.zeros(labels.size // 64 + 1024, np.int32)  # grows when it must
    sizes = np.zeros(len(parents), np.int64)
    pieces = 0
    for y in range(height):
        for x in range(width):
            label = labels[y, x]
            if label == 0:
                continue
            left = piece[y, x - 1] if x > 0 and labels[y, x - 1] == label else 0
            above = piece[y - 1, x] if y > 0 and labels[y - 1, x] == label else 0
            if left == 0 and above == 0:
                pieces += 1
                if pieces == len(parents):
                    parents = np.concatenate((parents, np.zeros_like(parents)))
                    sizes = np.concatenate((sizes, np.zeros_like(sizes)))
                parents[pieces] = pieces
                piece[y, x] = pieces
            elif left and above:
                a, b = _root(parents, left), _root(parents, above)
                if a != b:
                    low, high = min(a, b), max(a, b)
                    parents[high] = low
                    sizes[low] += sizes[high]
                piece[y, x] = min(a, b)
            else:
                piece[y, x] = _root(parents, left + above)
            sizes[_root(parents, piece[y, x])] += 1
    best = np.zeros(count + 1, np.int32)
    for y in range(height):
        for x in range(width):
            label = labels[y, x]
            if label:
                root = _root(parents, piece[y, x])
                piece[y, x] = root
                current = best[label]
                if current == 0 or sizes[root] > sizes[current] or (sizes[root] == sizes[current] and root < current):
                    best[label] = root
    result = np.zeros((height, width), np.int32)
    for y in range(height):
        for x in range(width):
            label = labels[y, x]
            if label and piece[y, x] == best[label]:
                result[y, x] = label
    return result


def fill_holes(labels: Labels) -> Labels:
    """Every object without holes, in ascending order: what a hole of an object encloses becomes that object."""
    if labels.ndim == 3:
        return fill_holes_3d(labels)
    result = labels.copy()
    count = int(labels.max(initial=0))
    boxes, areas = label_boxes(labels, count)
    _fill_holes(result, boxes, areas)
    return result


@njit
def _fill_holes(labels: Any, boxes: Any, areas: Any) -> None:
    """Flood the outside of each object (8-connected, so that an object is 4-connected) in its box; fill the rest."""
    for k in range(len(boxes)):
        if areas[k] == 0:
            continue
        label = k + 1
        y0, x0, y1, x1 = boxes[k]
        height, width = y1 - y0, x1 - x0
        if areas[k] == height * width:
            continue
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
        reached = depth
        while depth:
            depth -= 1
            y, x = stack[depth]
            for ny in range(max(0, y - 1), min(height, y + 2)):
                for nx in range(max(0, x - 1), min(width, x + 2)):
                    if not outside[ny, nx] and labels[y0 + ny, x0 + nx] != label:
                        outside[ny, nx] = True
                        reached += 1
                        stack[depth, 0], stack[depth, 1] = ny, nx
                        depth += 1
        if reached + areas[k] == height * width:
            continue
        for y in range(height):
            for x in range(width):
                if not outside[y, x]:
                    labels[y0 + y, x0 + x] = label
