"""Label images as runs: stretches of equal pixels within a row.

An image has about fifty times fewer runs than pixels, so what concerns whole objects (their pieces, holes and sizes) is
found from runs, and only making and painting them goes over all pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.machine.compiled import njit, parts

Numbers = NDArray[np.int32]
PIXELS = 2**25  # that are worked on between two looks whether the work is still wanted: up to 0.1 s


@dataclass(frozen=True)
class Runs:
    """Runs in reading order; those of row y are first[y] to first[y + 1]."""

    shape: tuple[int, int]
    first: NDArray[np.int64]
    labels: Numbers
    starts: Numbers
    ends: Numbers  # exclusive

    @property
    def lengths(self) -> Numbers:
        """Pixels of each run."""
        return self.ends - self.starts

    def boxes(self, numbers: Numbers, count: int) -> tuple[Numbers, NDArray[np.int64]]:
        """As `core.objects.boxes.label_boxes` if run i belonged to object numbers[i] of 1..count; 0 = to none."""
        result: tuple[Numbers, NDArray[np.int64]] = _boxes(
            self.first, self.starts, self.ends, numbers, count, self.shape
        )
        return result

    def painted(self, numbers: Numbers) -> Numbers:
        """The image in which the pixels of run i have the value numbers[i], others 0."""
        image = np.zeros(self.shape, np.int32)
        for first, end in parts(self.shape[0], PIXELS // max(self.shape[1], 1)):
            _paint(self.first, self.starts, self.ends, numbers, first, end, image)
        return image


@dataclass(frozen=True)
class Pieces:
    """What hangs together by sides of pixels."""

    roots: NDArray[np.int64]  # for each run the first run of its piece
    holes: NDArray[np.int64]  # for each of the labels 1..n


def runs_of(labels: Numbers) -> Runs:
    """The runs of labels other than 0 of an image (Y, X)."""
    height, width = labels.shape
    first = np.zeros(height + 1, np.int64)
    for row, end in parts(height, PIXELS // max(width, 1)):
        _count(labels, row, end, first)
    np.cumsum(first, out=first)
    values, starts, ends = (np.empty(first[-1], np.int32) for _ in range(3))
    for row, end in parts(height, PIXELS // max(width, 1)):
        _list(labels, row, end, first, values, starts, ends)
    return Runs((height, width), first, values, starts, ends)


def pieces_of(runs: Runs, count: int) -> Pieces:
    """The pieces of the labels 1..count, and how many holes each label has in all of its pieces."""
    roots = np.arange(len(runs.labels))
    meetings = np.zeros(count + 1, np.int64)
    for row, end in parts(runs.shape[0], PIXELS // max(runs.shape[1], 1)):
        _join(runs.first, runs.labels, runs.starts, runs.ends, row, end, roots, meetings)
    return Pieces(roots, _holes(runs.labels, roots, meetings)[1:])


def largest_of(runs: Runs, pieces: Pieces, count: int) -> Numbers:
    """The runs' labels, but 0 outside each label's largest piece (the first in reading order if equal)."""
    return np.asarray(_largest(runs.labels, runs.lengths, pieces.roots, count))


@njit
def _count(labels: Any, first_row: int, end_row: int, counts: Any) -> None:
    """Entry y + 1 becomes the number of runs of row y."""
    for y in range(first_row, end_row):
        runs, before = 0, 0
        for x in range(labels.shape[1]):
            label = labels[y, x]
            runs += (label != before) & (label != 0)
            before = label
        counts[y + 1] = runs


@njit
def _list(labels: Any, first_row: int, end_row: int, first: Any, values: Any, starts: Any, ends: Any) -> None:
    width = labels.shape[1]
    for y in range(first_row, end_row):
        run, before = first[y], 0
        for x in range(width):
            label = labels[y, x]
            if label != before:
                if before:
                    ends[run] = x
                    run += 1
                if label:
                    values[run] = label
                    starts[run] = x
                before = label
        if before:
            ends[run] = width


@njit
def _root(roots: Any, run: int) -> int:
    while roots[run] != run:
        roots[run] = roots[roots[run]]
        run = roots[run]
    return run


@njit
def _join(
    first: Any, labels: Any, starts: Any, ends: Any, first_row: int, end_row: int, roots: Any, meetings: Any
) -> None:
    """Join each run with those of its label that it touches in the row above, and count these for each label."""
    for y in range(max(first_row, 1), end_row):
        above, last = first[y - 1], first[y]
        for run in range(first[y], first[y + 1]):
            while above < last and ends[above] <= starts[run]:
                above += 1
            other = above
            while other < last and starts[other] < ends[run]:
                if labels[other] == labels[run]:
                    meetings[labels[run]] += 1
                    a, b = _root(roots, other), _root(roots, run)
                    roots[max(a, b)] = min(a, b)
                other += 1


@njit
def _holes(labels: Any, roots: Any, meetings: Any) -> Any:
    """Holes by Euler's formula: an object has as many as its pieces and its meetings are more than its runs.

    Ends the joining: afterwards every entry of `roots` is a first run.
    """
    holes = meetings
    for run in range(len(labels)):
        roots[run] = roots[roots[run]]  # a run's root comes before it
        holes[labels[run]] += (roots[run] == run) - 1
    return holes


@njit
def _largest(labels: Any, lengths: Any, roots: Any, count: int) -> Any:
    sizes = np.zeros(len(labels), np.int64)
    for run in range(len(labels)):
        sizes[roots[run]] += lengths[run]
    best = np.full(count + 1, -1, np.int64)
    for run in range(len(labels)):
        if roots[run] == run and (best[labels[run]] < 0 or sizes[run] > sizes[best[labels[run]]]):
            best[labels[run]] = run
    numbers = np.zeros(len(labels), np.int32)
    for run in range(len(labels)):
        if roots[run] == best[labels[run]]:
            numbers[run] = labels[run]
    return numbers


@njit
def _boxes(first: Any, starts: Any, ends: Any, numbers: Any, count: int, shape: tuple[int, int]) -> Any:
    boxes = np.empty((count, 4), np.int32)
    boxes[:, 0] = shape[0]
    boxes[:, 1] = shape[1]
    boxes[:, 2:] = 0
    areas = np.zeros(count, np.int64)
    for y in range(shape[0]):
        for run in range(first[y], first[y + 1]):
            k = numbers[run] - 1
            if k >= 0:
                areas[k] += ends[run] - starts[run]
                boxes[k, 0] = min(boxes[k, 0], y)
                boxes[k, 1] = min(boxes[k, 1], starts[run])
                boxes[k, 2] = max(boxes[k, 2], y + 1)
                boxes[k, 3] = max(boxes[k, 3], ends[run])
    return boxes, areas


@njit
def _paint(first: Any, starts: Any, ends: Any, numbers: Any, first_row: int, end_row: int, image: Any) -> None:
    for y in range(first_row, end_row):
        for run in range(first[y], first[y + 1]):
            image[y, starts[run] : ends[run]] = numbers[run]
