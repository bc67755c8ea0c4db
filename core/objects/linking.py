"""The same number for the same object through the frames of a time-lapse, by overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import Labels, renumbered_by
from cellspan.core.objects.metrics import best_pairs, shared_pixels

LEAST_OVERLAP = 0.1  # intersection over union below which two objects are never the same
MOSTLY = 0.5  # part of an object's pixels that lie in one object of the frame before: it comes from there

Table = NDArray[np.int32]  # entry k is the new number of label k


class Tracks(NamedTuple):
    """The numbers of a time-lapse's objects, and which ones are daughters."""

    tables: list[Table]  # for each frame, the numbers that its labels get
    parents: dict[int, int]  # the number of a daughter -> that of the object that divided


def link_frames(frames: Sequence[Labels]) -> list[Labels]:
    """Label images of one shape, (Y, X) or (Z, Y, X) each, with the same number for the same object in every frame.

    An object keeps its number while it overlaps with itself in the frame before. When an object divides, its daughters
    get new numbers; so does what comes into view, comes back, or jumps by more than its own size. Numbers of the first
    frame stay as they are. Raises CellspanError for frames of different shapes.
    """
    tables = link_tracks(frames).tables
    return [renumbered_by(np.ascontiguousarray(frame), table) for frame, table in zip(frames, tables, strict=True)]


def link_tracks(frames: Sequence[Labels]) -> Tracks:
    """For each frame, the numbers that `link_frames` gives its labels, and the parents of daughters."""
    if len({frame.shape for frame in frames}) > 1:
        raise CellspanError("Frames to link must have one shape; these have several.")
    tables: list[Table] = []
    parents: dict[int, int] = {}
    used = 0
    for i, frame in enumerate(frames):
        present = np.flatnonzero(_areas(frame))
        if i == 0:
            table = np.arange(int(frame.max(initial=0)) + 1, dtype=np.int32)
        else:
            table, mothers = _continued(frames[i - 1], frame, tables[-1])
            new = present[table[present] == 0]
            table[new] = used + 1 + np.arange(len(new), dtype=np.int32)
            parents |= {int(table[daughter]): mother for daughter, mother in mothers.items()}
        used = max(used, int(table.max(initial=0)))
        tables.append(table)
    return Tracks(tables, parents)


def _continued(before: Labels, after: Labels, numbers: Table) -> tuple[Table, dict[int, int]]:
    """The numbers of those labels of `after` that are objects of `before`, 0 for the others; and those of mothers.

    The mothers are by label of the daughter in `after`.
    """
    table = np.zeros(int(after.max(initial=0)) + 1, np.int32)
    old, new, shared = shared_pixels(before, after)
    sizes_old, sizes_new = _areas(before)[old], _areas(after)[new]
    overlap = shared / (sizes_old + sizes_new - shared)
    comes_from = shared > MOSTLY * sizes_new
    daughters = np.bincount(old[comes_from], minlength=len(numbers))
    possible = daughters[old] < 2
    pairs = (overlap[possible], (old[possible], new[possible]))
    rows, columns = best_pairs(coo_array(pairs, shape=(len(numbers), len(table))), LEAST_OVERLAP)
    table[columns] = numbers[rows]
    born = comes_from & ~possible & (table[new] == 0)
    return table, dict(zip(new[born].tolist(), numbers[old[born]].tolist(), strict=True))


def _areas(labels: Labels) -> NDArray[np.int64]:
    """Pixels of each of the labels 1..n, at their own index; 0 pixels of the background."""
    counts = np.bincount(labels.ravel(), minlength=1)
    counts[0] = 0
    return counts
