"""The network's channels for parts of a volume, on one scale for the whole volume."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.channels import LUMINANCE, channels_apart, check_channel, first_of_several, require_nuclei
from cellspan.core.pictures.filters import filtered, reach_of
from cellspan.core.pictures.images import Floats, Mask
from cellspan.core.pictures.normalise import combined, nan_note, replaced_note
from cellspan.core.pictures.uneven_light import Tiles
from cellspan.core.pictures.volume import Volume
from cellspan.core.volumes.resampling import Box, Grid

SAMPLE = 8_000_000  # voxels that percentiles are taken of: every n-th along y and x, so that each slice counts

Weights = dict[int, float]  # channels that are added up, as red, green and blue are


@dataclass(frozen=True)
class Scale:
    """What becomes 0 and what becomes 1: numbers, or maps (Y, X) of them where the light is uneven."""

    low: Any
    high: Any
    lowest: float  # of all intensities
    highest: float

    def part(self, y: slice, x: slice) -> tuple[Any, Any]:
        """The same for a part of each slice."""
        if np.ndim(self.low) == 0:
            return np.float32(self.low), np.float32(self.high - self.low if self.high > self.low else 1)
        low, high = self.low[y, x], self.high[y, x]
        return low, high - low


class Intensities:
    """What to segment and, if asked for, the nuclei, normalised by limits or by percentiles of the volume."""

    def __init__(
        self, volume: Volume, parameters: Parameters, apart: int | None = None, sees_nuclei: bool = True
    ) -> None:
        """Reads a sample of the volume; `apart` and `sees_nuclei` as in `network_input`.

        Raises CellspanError for a missing channel or voxels that are not numbers.
        """
        self.volume, self.parameters = volume, parameters
        self.notes: list[str] = replaced_note(parameters)
        if apart is None:
            require_nuclei(parameters, sees_nuclei)
            wanted = [self._main(), *([self._nuclei()] if sees_nuclei else [])]
        else:
            wanted = self._each_by_itself(apart)
        self._channels = len(wanted)  # of the network
        self._to_segment = 1 if apart is None else apart  # those that are not only there to help
        number = count()
        self._sources = [
            [(weights, self._scale(weights, parameters.limits_of(next(number)))) for weights in together]
            for together in wanted
        ]

    @property
    def is_flat(self) -> bool:
        """Whether there is nothing to see."""
        sources = chain.from_iterable(self._sources[: self._to_segment])
        return all(scale.lowest == scale.highest for _, scale in sources)

    def planes(self, box: Box) -> Floats:
        """Part of the image: (C, Z, Y, X)."""
        planes = np.zeros((self._channels, *(part.stop - part.start for part in box)), np.float32)
        for k, together in enumerate(self._sources):
            if together:
                planes[k] = combined([self._scaled(*one, box) for one in together], self.parameters.combine)
        return planes

    def on_grid(self, grid: Grid, box: Box) -> Floats:
        """Part of the grid: (C, Z, Y, X); a few slices at a time, because the image may be finer than the grid."""
        planes = np.zeros((self._channels, *(part.stop - part.start for part in box)), np.float32)
        used = [k for k, together in enumerate(self._sources) if together]
        for z in grid.slabs(box):
            source = self.planes(grid.region((z, *box[1:])))
            for k in used:
                planes[k, z.start - box[0].start : z.stop - box[0].start] = grid.resampled(source[k], (z, *box[1:]))
        return planes

    # ---- which channels

    def _main(self) -> list[Weights]:
        """The channels to segment, with their weights."""
        if self.parameters.channels:
            return [self._checked(channel) for channel in self.parameters.channels]
        if self.volume.is_rgb:
            return [dict(enumerate(map(float, LUMINANCE)))]
        self.notes += first_of_several(len(self.volume.channels), self.volume.main)
        return [{self.volume.main: 1.0}]

    def _nuclei(self) -> list[Weights]:
        index = self.parameters.nuclei_channel
        return [] if index is None else [self._checked(index, True)]

    def _each_by_itself(self, most: int) -> list[list[Weights]]:
        """For each of the network's channels the one that it sees; none for those that are left over."""
        chosen, notes = channels_apart(len(self.volume.channels), self.volume.main, self.parameters, most)
        self.notes += notes
        return [[{channel: 1.0}] for channel in chosen] + [[] for _ in range(most - len(chosen))]

    def _checked(self, index: int, is_nuclei: bool = False) -> Weights:
        check_channel(len(self.volume.channels), index, "nuclei_channel" if is_nuclei else "channel")
        return {index: 1.0}

    # ---- their intensities

    @property
    def _filters(self) -> tuple[float, float] | None:
        """The radii of smoothing and sharpening, or None."""
        radii = self.parameters.smooth, self.parameters.sharpen
        return radii if any(radii) and self.parameters.limits is None else None

    def _scaled(self, weights: Weights, scale: Scale, box: Box) -> Floats:
        """Part of one channel as the network sees it: (Z, Y, X)."""
        parameters = self.parameters
        is_plain = parameters.normalize is None and parameters.limits is None
        values = self._values(weights, box)
        outside = self._outside(values, box)
        if not is_plain:
            low, width = scale.part(*box[1:])
            values -= low
            values /= width
        if parameters.invert:
            np.subtract(1, values, out=values)
        if outside is not None:
            lowest = 1 - scale.highest if parameters.invert else scale.lowest
            values[outside] = lowest if is_plain else 0
        return values

    def _values(self, weights: Weights, box: Box) -> Floats:
        """Part of one channel, filtered if asked for; NaN stays."""
        if self._filters is None:
            return self._read(weights, box)
        reach = reach_of(*self._filters)
        wider = [slice(max(0, part.start - reach), part.stop + reach) for part in box[1:]]
        around: Box = (box[0], wider[0], wider[1])
        values = self._read(weights, around)
        outside = self._outside(values, around)
        y, x = (
            slice(part.start - wide.start, part.stop - wide.start) for part, wide in zip(box[1:], wider, strict=True)
        )
        result = np.empty([part.stop - part.start for part in box], np.float32)
        for z, plane in enumerate(values):
            inside = None if outside is None else ~outside[z]
            result[z] = filtered(plane, inside, *self._filters)[y, x]
            if outside is not None:
                result[z][outside[z, y, x]] = np.nan
        return result

    def _read(self, weights: Weights, box: Box) -> Floats:
        total: Any = 0
        for channel, weight in weights.items():
            total = total + np.float32(weight) * self.volume.block(channel, *box).astype(np.float32)
        return np.asarray(total)

    def _outside(self, values: NDArray[Any], box: Box) -> Mask | None:
        """Where voxels lie outside the mask or are NaN; None if none do. Raises CellspanError for infinities inside."""
        return _outside(values, None if self.volume.mask is None else self.volume.mask[box])

    # ---- on which scale

    def _scale(self, weights: Weights, limits: tuple[float, float] | None) -> Scale:
        """The intensities that become 0 and 1."""
        _, height, width = self.volume.shape
        mask = self.volume.mask
        whole = math.prod(self.volume.shape) if mask is None else int(np.count_nonzero(mask))
        step = max(1, int(np.ceil(np.sqrt(whole / SAMPLE))))
        rows, columns = slice(step // 2 if height > step else 0, None, step), slice(0, width, step)
        sample: NDArray[Any] = np.concatenate([self._sampled(z, rows, columns, weights) for z in self._slabs()])
        if (gaps := _outside(sample, None)) is not None:
            if gaps.all():
                where = "" if mask is None else " inside the mask"
                raise CellspanError(f"all voxels{where} are NaN, so there is nothing to look at.")
            self.notes += nan_note(round(int(np.count_nonzero(gaps)) * whole / gaps.size), whole, "voxels")
            sample = sample[~gaps]
        lowest, highest = float(sample.min()), float(sample.max())
        if limits is not None:
            return Scale(*limits, lowest, highest)
        if self.parameters.normalize is None:
            return Scale(lowest, highest, lowest, highest)
        if self.parameters.tile_norm and (maps := self._maps(weights, lowest, highest)) is not None:
            return Scale(*maps, lowest, highest)
        low, high = (float(value) for value in np.percentile(sample, self.parameters.normalize))
        return Scale(low, high, lowest, highest) if high > low else Scale(lowest, highest, lowest, highest)

    def _maps(self, weights: Weights, lowest: float, highest: float) -> tuple[Floats, Floats] | None:
        """One map for the whole volume of what becomes 0, and one of what becomes 1; None without contrast."""
        assert self.parameters.normalize is not None
        depth, height, width = self.volume.shape
        tiles = Tiles((height, width), self.parameters.tile_norm)
        grids = []
        for z in range(depth):
            box = (slice(z, z + 1), slice(0, height), slice(0, width))
            plane = self._values(weights, box)
            outside = self._outside(plane, box)
            grids.append(tiles.grid(plane[0], None if outside is None else ~outside[0], self.parameters.normalize))
        return tiles.maps(np.stack(grids), highest - lowest)

    def _slabs(self) -> list[slice]:
        """A few slices at a time, because compressed slices are read as a whole."""
        depth = self.volume.shape[0]
        return [slice(z, min(z + 8, depth)) for z in range(0, depth, 8)]

    def _sampled(self, z: slice, rows: slice, columns: slice, weights: Weights) -> NDArray[Any]:
        """Some voxels of a few slices that count; NaN are among them."""
        if self._filters is not None:
            _, height, width = self.volume.shape
            part: NDArray[Any] = self._values(weights, (z, slice(0, height), slice(0, width)))[:, rows, columns]
        else:
            summed: Any = sum(
                weight * self.volume.block(channel, z, rows, columns).astype(np.float64)
                for channel, weight in weights.items()
            )
            part = np.asarray(summed)
        if self.volume.mask is not None:
            part = part[self.volume.mask[z, rows, columns]]
        return part.ravel()


def _outside(values: NDArray[Any], mask: Mask | None) -> Mask | None:
    """See Intensities._outside."""
    if mask is None and np.isfinite(values).all():
        return None
    inside = values if mask is None else values[mask]
    if np.isinf(inside).any():
        bad = inside.size - int(np.count_nonzero(np.isfinite(inside)))
        raise CellspanError(f"{bad} voxels are NaN or infinite; replace them (for example with 0) first.")
    outside = np.isnan(values) if mask is None else np.isnan(values) | ~mask
    return np.asarray(outside) if outside.any() else None
