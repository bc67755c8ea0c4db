"""Scaling by tiles, for uneven light: percentiles of overlapping tiles, drawn out into maps as large as the plane.

As Cellpose does it (`cellpose.transforms.normalize99_tile`): tiles without contrast take the values of the nearest one
that has some, the values are evened out along y, and between the tiles they are interpolated. Two things differ from
there: every row of tiles counts (of a plane, 3.1.1.2 takes the first row for all), and slices without contrast take the
values of the nearest slice that has some (there they weaken the contrast of the others).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.pictures.images import Floats
from cellspan.core.pictures.resizing import resize_plane

OVERLAP = 0.1  # of neighbouring tiles
LEAST = 1e-3  # grey values between both percentiles that are contrast
BLUR = 1.0  # tiles over which the values are evened out

Grid = NDArray[np.float64]  # (2, rows, columns) of tiles, or (Z, 2, rows, columns): the grey values to become 0 and 1


@dataclass(frozen=True)
class Tiles:
    """Square tiles over planes of one height and width."""

    shape: tuple[int, int]
    side: int

    def grid(self, plane: NDArray[Any], inside: NDArray[np.bool_] | None, percentiles: tuple[float, float]) -> Grid:
        """The percentiles of what is `inside` in each tile: (2, rows, columns); NaN where nothing is."""
        rows, columns = (self._places(length) for length in self.shape)
        found = np.full((2, len(rows), len(columns)), np.nan)
        for i, row in enumerate(rows):
            for k, column in enumerate(columns):
                part = plane[row, column]
                if inside is not None:
                    part = part[inside[row, column]]
                if part.size:
                    found[:, i, k] = np.percentile(part, percentiles)
        return found

    def maps(self, grids: Grid, contrast: float) -> tuple[Floats, Floats] | None:
        """What becomes 0 and what becomes 1 at each pixel (Y, X), from the grids (Z, 2, rows, columns) of all slices.

        `contrast` is the range of all intensities: of intensities below 1, tiles need less to have some. None if no
        tile has any.
        """
        least = LEAST * min(1.0, contrast)
        ranges = grids[:, 1] - grids[:, 0]
        has_contrast = (ranges >= least) & (ranges > 0)  # not where a tile is NaN
        slices = np.flatnonzero(has_contrast.any(axis=(1, 2)))
        if not len(slices):
            return None
        nearest = [slices[np.abs(slices - z).argmin()] for z in range(len(grids))]
        filled = np.stack([_filled(grids[z], has_contrast[z]) for z in nearest])
        low, high = _evened_out(filled).mean(axis=0).astype(np.float32)
        return self._drawn_out(low), self._drawn_out(high)

    def _places(self, length: int) -> list[slice]:
        side = min(self.side, length)
        count = 1 if length <= self.side else math.ceil((1 + 2 * OVERLAP) * length / self.side)
        return [slice(start, start + side) for start in np.linspace(0, length - side, count).astype(int)]

    def _drawn_out(self, values: Floats) -> Floats:
        result = np.empty(self.shape, np.float32)
        resize_plane(np.ascontiguousarray(values), result, averaging=False)
        return result


def _filled(grid: Grid, has_contrast: NDArray[np.bool_]) -> Grid:
    """Tiles without contrast take the values of the nearest one that has some."""
    result = grid.copy()
    there = np.argwhere(has_contrast)
    for row, column in np.argwhere(~has_contrast):
        nearest = there[((there - (row, column)) ** 2).sum(axis=1).argmin()]
        result[:, row, column] = grid[:, nearest[0], nearest[1]]
    return result


def _evened_out(grids: Grid) -> Grid:
    """Along z once and along y twice, as in Cellpose."""
    from scipy.ndimage import gaussian_filter1d  # only here, because planes do not need scipy otherwise: 0.3 s

    for axis in (0, 2, 2):
        grids = gaussian_filter1d(grids, BLUR, axis=axis)
    return grids
