"""The 2D network on the slices of a volume along z, y and x: flows along three axes (Stringer et al. 2021, "3D").

Each slice gives the flows along its own two axes, so each axis gets two estimates; they are averaged, as are the three
probabilities.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cellspan.core.inference.predictor import Predictor
from cellspan.core.inference.tiles import NO_STYLE, STRIDE, predict_augmented, predict_tiled, sample_style, unit
from cellspan.core.models.architecture import FLOW_SCALE
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Floats
from cellspan.core.volumes.resampling import Box

SPACING = 2  # grid voxels between slices that the network looks at; what lies between is interpolated
SAMPLES = 6  # slices along each axis that tell the style

Styles = tuple[Floats, Floats, Floats]  # of slices across z, y and x
Slab = Callable[[Box], Floats]


def sampled_styles(predictor: Predictor, slab: Slab, shape: tuple[int, int, int]) -> Styles:
    """The mean style of some slices of the grid across each axis; `slab` gives the planes (C, Z, Y, X) of a box."""
    if not predictor.rules.has_style:
        return NO_STYLE, NO_STYLE, NO_STYLE
    z, y, x = (_mean_style(predictor, slab, shape, axis) for axis in range(3))
    return z, y, x


def _mean_style(predictor: Predictor, slab: Slab, shape: tuple[int, int, int], axis: int) -> Floats:
    count = shape[axis]
    total: Any = 0.0
    for i in np.unique(np.linspace(0, count - 1, min(count, SAMPLES) + 2).round().astype(int)[1:-1]):
        planes = _slice(slab(_across(shape, axis, int(i), int(i) + 1)), axis, 0)
        # Bright slices say more of the objects than dark ones do.
        total = total + (float(planes[0].std()) + 1e-6) * sample_style(predictor, planes).astype(np.float64)
    return unit(np.asarray(total))


def predict_slices(
    predictor: Predictor,
    slab: Slab,
    outputs: Any,
    styles: Styles,
    parameters: Parameters,
    on_progress: Callable[[float], None],
    thickness: int | None = None,
) -> None:
    """Fill `outputs` (4, Z, Y, X), zeros in memory or on disk: flows along z, y, x in voxels per step, probability.

    `slab` gives the planes (C, Z, Y, X) of a box of the grid. Each slice is seen as a whole, so where slabs end does
    not matter; `thickness` is how many slices are in memory at once, None = all. The network looks at every slice of
    SPACING, or at all if `parameters.augment` asks for the slower and better way.
    """
    shape = outputs.shape[1:]
    done = 0
    for axis, style in enumerate(styles):
        looks = _Looks(predictor, style, parameters, shape[axis], 1 if parameters.augment else SPACING)
        step = looks.aligned(thickness or shape[axis])
        for start in range(0, shape[axis], step):
            stop = min(start + step, shape[axis])

            def on_slice(i: int, done: int = done) -> None:
                on_progress((done + i) / sum(shape))  # it may raise an exception to end the work

            planes = slab(_across(shape, axis, start, min(stop + 1, shape[axis])))
            found = looks.at(planes, axis, start, stop, on_slice)
            done += stop - start
            first, second = (other for other in range(3) if other != axis)
            box = _across(shape, axis, start, stop)
            for component, values in zip((first, second, 3), found, strict=True):
                outputs[(component, *box)] += np.moveaxis(values, 0, axis)


class _Looks:
    """What the network sees in the slices across one axis, at every `spacing`-th of them and between."""

    def __init__(self, predictor: Predictor, style: Floats, parameters: Parameters, count: int, spacing: int) -> None:
        self._predictor, self._style, self._parameters = predictor, style, parameters
        self._count, self._spacing = count, spacing
        self._last: tuple[int, Floats] | None = None  # the slice that two slabs share

    def aligned(self, thickness: int) -> int:
        """A thickness of slabs that begins each with a slice that is looked at."""
        return max(self._spacing, thickness // self._spacing * self._spacing)

    def at(self, planes: Floats, axis: int, start: int, stop: int, on_slice: Callable[[int], None]) -> Floats:
        """The share (3, N, B, C) of slices `start` to `stop` in the flows along their two axes and the probability.

        `planes` are those slices of the grid and the next one.
        """
        rows, columns = (size for other, size in enumerate(planes.shape[1:]) if other != axis)
        found = np.empty((3, stop - start, rows, columns), np.float32)
        for low in range(start, stop, self._spacing):
            on_slice(low - start)
            high = min(low + self._spacing, self._count - 1)
            before = self._look(planes, axis, start, low)
            after = self._look(planes, axis, start, high) if high > low else before
            for i in range(low, min(low + self._spacing, stop)):
                part = np.float32((i - low) / max(high - low, 1))
                found[:, i - start] = before if i == low else (1 - part) * before + part * after
        found[:2] /= 2 * FLOW_SCALE
        found[2] /= 3
        return found

    def _look(self, planes: Floats, axis: int, start: int, index: int) -> Floats:
        """The network's outputs (3, B, C) for one slice."""
        if self._last is not None and self._last[0] == index:
            return self._last[1]
        predict = predict_augmented if self._parameters.augment else predict_tiled
        outputs, _ = predict(
            self._predictor,
            _slice(planes, axis, index - start),
            self._parameters.tile,
            self._parameters.tile_overlap,
            style=self._style,
            multiple=STRIDE,  # all slices across one axis have one size, so few graphs are compiled all the same
        )
        self._last = index, outputs
        return outputs


def _across(shape: tuple[int, ...], axis: int, start: int, stop: int) -> Box:
    """The box of the grid with these slices across one axis."""
    z, y, x = (slice(start, stop) if other == axis else slice(0, size) for other, size in enumerate(shape))
    return z, y, x


def _slice(planes: Floats, axis: int, index: int) -> Floats:
    """(channels, B, C): slice number `index` across one axis, the other two in their order."""
    return np.ascontiguousarray(planes.take(index, axis + 1))
