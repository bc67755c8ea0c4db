"""Corrections by hand of a label image: delete, merge, split along a line, draw; numbers of other objects stay.

Points are x, y in pixels from the upper left corner of the image, so that the first pixel's centre is 0.5, 0.5. In a
volume an object is deleted, merged and split through all its slices; a drawn one lies in the slice that is on show.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import Labels
from cellspan.core.objects.outlines import paint_loops

LEAST_PIECE = 0.02  # of the object: smaller pieces that a line cuts off go to their neighbour
LARGEST_COORDINATE = 1e6

Changed = tuple[Labels, list[int]]  # new labels, and the numbers of the objects that are not as they were


def delete(labels: Labels, numbers: Sequence[int]) -> Changed:
    """Without these objects; raises CellspanError if one is not there."""
    _require(labels, numbers)
    return np.where(np.isin(labels, list(numbers)), 0, labels).astype(np.int32), sorted(set(numbers))


def merge(labels: Labels, numbers: Sequence[int]) -> Changed:
    """These objects as one, which has the lowest of their numbers; raises CellspanError."""
    chosen = sorted(set(numbers))
    if len(chosen) < 2:
        raise CellspanError("Select at least two objects to merge.", "too_few")
    _require(labels, chosen)
    return np.where(np.isin(labels, chosen), chosen[0], labels).astype(np.int32), chosen


def split(labels: Labels, number: int, line: Sequence[float]) -> Changed:
    """Cut an object along a line of points; its largest piece keeps the number. Raises CellspanError.

    A line that ends within the object is continued straight on.
    """
    _require(labels, [number])
    points = _points(line, 2, "a line")
    box = ndimage.find_objects((labels == number).astype(np.uint8))[0]
    inside = labels[box] == number
    corner = np.array([box[-1].start, box[-2].start])
    cut = _drawn(_continued(points - corner, inside), inside.shape[-2:])
    pieces, count = ndimage.label(inside & ~cut)
    kept = _large_enough(pieces, count, int(inside.sum()))
    if len(kept) < 2:
        raise CellspanError("The line does not divide the object; draw it from one side to the other.", "not_divided")
    owner = _nearest(np.where(np.isin(pieces, kept), pieces, 0))
    highest = int(labels.max())
    table = np.zeros(count + 1, np.int32)
    table[kept] = [number, *range(highest + 1, highest + len(kept))]
    result = labels.copy()
    result[box][inside] = table[owner[inside]]
    return result, [number, *table[kept[1:]].tolist()]


def draw(labels: Labels, polygon: Sequence[float], z: int = 0) -> Changed:
    """A new object inside a polygon, where no other object lies; raises CellspanError if nothing is left."""
    points = _points(polygon, 3, "an outline")
    result = labels.copy()
    plane = result if labels.ndim == 2 else result[z]
    painted = np.zeros(plane.shape, np.int32)
    paint_loops(painted, [points], 1)
    free = (painted > 0) & (plane == 0)
    if not free.any():
        raise CellspanError("There is no free pixel inside this outline; draw it where no object lies.", "no_room")
    number = int(labels.max(initial=0)) + 1
    plane[free] = number
    return result, [number]


def _require(labels: Labels, numbers: Sequence[int]) -> None:
    there = set(np.unique(labels[np.isin(labels, list(numbers))]).tolist()) - {0}
    missing = sorted(set(numbers) - there)
    if missing or not numbers:
        words = f"There is no object {missing[0]} in this image." if missing else "Select an object first."
        raise CellspanError(words, "no_object")


def _points(flat: Sequence[float], least: int, what: str) -> NDArray[np.float64]:
    """x, y, x, y, ... as (n, 2); raises CellspanError."""
    points = np.asarray(flat, np.float64)
    if points.ndim != 1 or points.size % 2 or points.size < 2 * least:
        raise CellspanError(f"For {what}, give the x and y of at least {least} points.", "too_few_points")
    if not np.isfinite(points).all() or np.abs(points).max() > LARGEST_COORDINATE:
        raise CellspanError(f"The points of {what} must be numbers in the image.", "bad_points")
    return points.reshape(-1, 2)


def _continued(points: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A line whose ends within the object go on to the border of its box."""
    flat = np.asarray(inside if inside.ndim == 2 else inside.any(axis=0))
    reach = float(sum(flat.shape))
    ends = []
    for end, before in ((points[0], points[1]), (points[-1], points[-2])):
        x, y = np.floor(end).astype(int)
        length = float(np.hypot(*(end - before)))
        is_within = 0 <= y < flat.shape[0] and 0 <= x < flat.shape[1] and bool(flat[y, x])
        ends.append([end + (end - before) / length * reach] if is_within and length > 0 else [])
    return np.array([*ends[0], *points, *ends[1]])


def _drawn(points: NDArray[np.float64], shape: Any) -> NDArray[np.bool_]:
    """The pixels of a line. They touch at least at their corners, so that no way from pixel side to pixel side leads
    through it.
    """
    cut = np.zeros(shape, bool)
    for first, last in pairwise(points):
        steps = int(np.ceil(np.abs(last - first).max())) + 1
        x, y = np.floor(np.linspace(first, last, 2 * steps + 1)).astype(np.int64).T
        within = (x >= 0) & (y >= 0) & (x < shape[1]) & (y < shape[0])
        cut[y[within], x[within]] = True
    return cut


def _large_enough(pieces: NDArray[Any], count: int, whole: int) -> NDArray[np.int64]:
    """The pieces that become objects, the largest first."""
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable")
    return order[sizes[order] >= max(2, LEAST_PIECE * whole)] + 1


def _nearest(pieces: NDArray[Any]) -> NDArray[Any]:
    """For each pixel the piece that is nearest."""
    at = ndimage.distance_transform_edt(pieces == 0, return_distances=False, return_indices=True)
    return np.asarray(pieces[tuple(at)])
