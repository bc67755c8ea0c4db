"""The same number for the same object through the frames of a time-lapse, by overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cellspan.core.errors import CellspanError
from cellspan.core.labels import Labels, renumbered_by

LEAST_OVERLAP = 0.1  # intersection over union below which two objects are never the same
MOSTLY = 0.5  # part of an object's pixels that lie in one object of the frame before: it comes from there

Table = NDArray[np.int32]  # entry k is the new number of label k


def link_frames(frames: Sequence[Labels]) -> list[Labels]:
    """Label images of one shape, (Y, X) or (Z, Y, X) each, with the same number for the same object in every frame.

    An object keeps its number while it overlaps with itself in the frame before. When an object divides, its daughters
    get new numbers; so does what comes into view, comes back, or jumps by more than its own size. Numbers of the first
    frame stay as they are. Raises CellspanError for frames of different shapes.
    """
    tables = link_tables(frames)
    return [renumbered_by(np.ascontiguousarray(frame), table) for frame, table in zip(frames, tables, strict=True)]


def link_tables(frames: Sequence[Labels]) -> list[Table]:
    """For each frame, the numbers that `link_frames` gives its labels."""
    if len({frame.shape for frame in frames}) > 1:
        raise CellspanError("Frames to link must have one shape; these have several.")
    tables: list[Table] = []
    used = 0
    for i, frame in enumerate(frames):
        present = np.flatnonzero(_areas(frame))
        if i == 0:
            table = np.arange(int(frame.max(initial=0)) + 1, dtype=np.int32)
        else:
            table = _continued(frames[i - 1], frame, tables[-1])
            new = present[table[present] == 0]
            table[new] = used + 1 + np.arange(len(new), dtype=np.int32)
        used = max(used, int(table.max(initial=0)))
        tables.append(table)
    return tables


def _continued(before: Labels, after: Labels, numbers: Table) -> Table:
    """The numbers of those labels of `after` that are objects of `before`; 0 for the others."""
    table = np.zeros(int(after.max(initial=0)) + 1, np.int32)
    old, new, shared = _shared_pixels(before, after)
    sizes_old, sizes_new = _areas(before)[old], _areas(after)[new]
    overlap = shared / (sizes_old + sizes_new - shared)
    daughters = np.bincount(old[shared > MOSTLY * sizes_new], minlength=len(numbers))
    possible = (daughters[old] < 2) & (overlap >= LEAST_OVERLAP)
    for group in _groups(old[possible], new[possible]):
        rows, columns = (np.unique(part[possible][group], return_inverse=True) for part in (old, new))
        scores = np.zeros((len(rows[0]), len(columns[0])))
        scores[rows[1], columns[1]] = overlap[possible][group]
        best = linear_sum_assignment(scores, maximize=True)
        same = scores[best] > 0
        table[columns[0][best[1][same]]] = numbers[rows[0][best[0][same]]]
    return table


def _groups(old: NDArray[np.int64], new: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Indices of the pairs that belong together: no object of one group overlaps with one of another."""
    if not len(old):
        return []
    first_new = int(old.max()) + 1
    size = first_new + int(new.max()) + 1
    graph = coo_array((np.ones(len(old)), (old, new + first_new)), shape=(size, size))
    members = connected_components(graph, directed=False)[1][old]
    order = np.argsort(members, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(members[order])) + 1)


def _shared_pixels(before: Labels, after: Labels) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of labels that have pixels in common, before and after, and how many."""
    columns = int(after.max(initial=0)) + 1
    inside = (before > 0) & (after > 0)
    pairs, counts = np.unique(before[inside].astype(np.int64) * columns + after[inside], return_counts=True)
    return pairs // columns, pairs % columns, counts


def _areas(labels: Labels) -> NDArray[np.int64]:
    """Pixels of each of the labels 1..n, at their own index; 0 pixels of the background."""
    counts = np.bincount(labels.ravel(), minlength=1)
    counts[0] = 0
    return counts
