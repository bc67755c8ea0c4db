"""The network's two channels for parts of a volume, on one scale for the whole volume."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.channels import LUMINANCE, check_channel, first_of_several
from cellspan.core.pictures.images import Floats
from cellspan.core.pictures.normalise import nan_note
from cellspan.core.pictures.volume import Volume
from cellspan.core.volumes.resampling import Box, Grid

SAMPLE = 8_000_000  # voxels that percentiles are taken of: every n-th along y and x, so that each slice counts


class Intensities:
    """What to segment and, if asked for, the nuclei, normalised by percentiles of the volume."""

    def __init__(self, volume: Volume, parameters: Parameters) -> None:
        """Reads a sample of the volume. Raises CellspanError for a missing channel or voxels that are not numbers."""
        self.volume, self.parameters = volume, parameters
        self.notes: list[str] = []
        self._sources = [self._main(), *([] if parameters.nuclei_channel is None else [self._nuclei()])]
        self._ranges = [self._range(weights) for weights in self._sources]

    @property
    def is_flat(self) -> bool:
        """Whether there is nothing to see."""
        low, high = self._ranges[0]
        return low == high

    def planes(self, box: Box) -> Floats:
        """Part of the image: (2, Z, Y, X)."""
        planes = np.zeros((2, *(part.stop - part.start for part in box)), np.float32)
        for plane, weights, (low, high) in zip(planes, self._sources, self._ranges, strict=False):
            cut_out = _nan_in(self._fill(plane, weights, box))
            if self.parameters.normalize is not None:
                plane -= np.float32(low)
                plane /= np.float32(high - low if high > low else 1)
            if self.parameters.invert:
                np.subtract(1, plane, out=plane)
            if cut_out is not None:
                plane[cut_out] = (
                    0 if self.parameters.normalize is not None else 1 - high if self.parameters.invert else low
                )
        return planes

    def _background(self, low: float, high: float) -> float:
        """The value of what was cut out, where `low` and `high` become 0 and 1 when normalised."""
        if self.parameters.normalize is not None:
            return 0.0
        return 1 - high if self.parameters.invert else low

    def on_grid(self, grid: Grid, box: Box) -> Floats:
        """Part of the grid: (2, Z, Y, X); a few slices at a time, because the image may be finer than the grid."""
        planes = np.zeros((2, *(part.stop - part.start for part in box)), np.float32)
        for z in grid.slabs(box):
            source = self.planes(grid.region((z, *box[1:])))
            for k in range(len(self._sources)):
                planes[k, z.start - box[0].start : z.stop - box[0].start] = grid.resampled(source[k], (z, *box[1:]))
        return planes

    def _main(self) -> dict[int, float]:
        """The channels to segment, with their weights."""
        if self.parameters.channel is not None:
            return self._checked(self.parameters.channel, "channel")
        if self.volume.is_rgb:
            return dict(enumerate(map(float, LUMINANCE)))
        self.notes += first_of_several(len(self.volume.channels), self.volume.main)
        return {self.volume.main: 1.0}

    def _nuclei(self) -> dict[int, float]:
        assert self.parameters.nuclei_channel is not None
        return self._checked(self.parameters.nuclei_channel, "nuclei_channel")

    def _checked(self, index: int, option: str) -> dict[int, float]:
        check_channel(len(self.volume.channels), index, option)
        return {index: 1.0}

    def _fill(self, plane: Floats, weights: dict[int, float], box: Box) -> Floats:
        for channel, weight in weights.items():
            plane += np.float32(weight) * self.volume.block(channel, *box).astype(np.float32)
        return plane

    def _range(self, weights: dict[int, float]) -> tuple[float, float]:
        """The intensities that become 0 and 1."""
        _, height, width = self.volume.shape
        step = max(1, int(np.ceil(np.sqrt(np.prod(self.volume.shape, dtype=float) / SAMPLE))))
        rows, columns = slice(step // 2 if height > step else 0, None, step), slice(0, width, step)
        sample: NDArray[Any] = np.concatenate([self._sampled(z, rows, columns, weights) for z in self._slabs()])
        if (cut_out := _nan_in(sample)) is not None:
            if cut_out.all():
                raise CellspanError("all voxels are NaN, so there is nothing to look at.")
            count, whole = int(np.count_nonzero(cut_out)), math.prod(self.volume.shape)
            self.notes += nan_note(round(count * whole / sample.size), whole, "voxels")
            sample = sample[~cut_out]
        if self.parameters.normalize is None:
            return float(sample.min()), float(sample.max())
        low, high = (float(value) for value in np.percentile(sample, self.parameters.normalize))
        return (low, high) if high > low else (float(sample.min()), float(sample.max()))

    def _slabs(self) -> list[slice]:
        """A few slices at a time, because compressed slices are read as a whole."""
        return [slice(z, z + 8) for z in range(0, self.volume.shape[0], 8)]

    def _sampled(self, z: slice, rows: slice, columns: slice, weights: dict[int, float]) -> NDArray[Any]:
        parts: Any = sum(
            weight * self.volume.block(channel, z, rows, columns).astype(np.float64)
            for channel, weight in weights.items()
        )
        return np.asarray(parts).ravel()


def _nan_in(values: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Where voxels are NaN, as outside a mask; None if none are. Raises CellspanError for infinities."""
    if np.isfinite(values).all():
        return None
    cut_out = np.isnan(values)
    if np.isinf(values).any():
        bad = values.size - int(np.count_nonzero(np.isfinite(values)))
        raise CellspanError(f"{bad} voxels are NaN or infinite; replace them (for example with 0) first.")
    return np.asarray(cut_out)
