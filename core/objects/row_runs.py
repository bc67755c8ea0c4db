"""Sizes and centres of objects from runs: stretches of pixels of one object along X.

An image has about fifty times fewer runs than pixels, so this takes a tenth of the time of counting pixels. For
compiled loops over runs, see runs.py: this file also runs inside CellProfiler (see pairing.py), with Python 3.8 and
numpy alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Runs(NamedTuple):
    """The runs of a label image in reading order, without the background."""

    shape: tuple[int, ...]
    numbers: np.ndarray  # the object of each run
    starts: np.ndarray  # its first pixel, counted in reading order
    lengths: np.ndarray  # in pixels

    def areas(self, count: int) -> np.ndarray:
        """Pixels or voxels of the objects 1..count."""
        return np.bincount(self.numbers, self.lengths, minlength=count + 1)[1:].astype(np.intp)

    def centres(self, count: int) -> list[np.ndarray]:
        """Centres of mass of the objects 1..count along each axis, in pixels; NaN for those that are not there."""
        areas = self.areas(count)
        places = [place.astype(float) for place in np.unravel_index(self.starts, self.shape)]
        places[-1] += (self.lengths - 1) / 2  # the middle of the run
        sums = [np.bincount(self.numbers, self.lengths * place, minlength=count + 1)[1:] for place in places]
        with np.errstate(invalid="ignore"):
            return [total / areas for total in sums]


def runs_of(labels: np.ndarray) -> Runs:
    """The runs of a label image (Y, X) or (Z, Y, X), 0 = background."""
    flat = labels.ravel()
    is_end = np.ones(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=is_end[:-1])
    is_end[labels.shape[-1] - 1 :: labels.shape[-1]] = True  # no run goes on in the next row
    ends = np.flatnonzero(is_end) + 1
    starts = np.concatenate([[0], ends[:-1]]).astype(np.intp)[: len(ends)]
    numbers = flat[starts]
    inside = numbers > 0
    return Runs(labels.shape, numbers[inside], starts[inside], (ends - starts)[inside])
