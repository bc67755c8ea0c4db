"""The 2D network on the slices of a volume along z, y and x: flows along three axes (Stringer et al. 2021, "3D").

Each slice gives the flows along its own two axes, so each axis gets two estimates; they are averaged, as are the three
probabilities.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cellspan.core.images import Floats
from cellspan.core.inference.predictor import Predictor
from cellspan.core.inference.tiles import STRIDE, predict_augmented, predict_tiled, sample_style, unit
from cellspan.core.models.architecture import FLOW_SCALE
from cellspan.core.parameters import Parameters
from cellspan.core.volumes.resampling import Box

SAMPLES = 6  # slices along each axis that tell the style

Styles = tuple[Floats, Floats, Floats]  # of slices across z, y and x
Slab = Callable[[Box], Floats]


def sampled_styles(predictor: Predictor, slab: Slab, shape: tuple[int, int, int]) -> Styles:
    """The mean style of some slices of the grid across each axis; `slab` gives the planes (2, Z, Y, X) of a box."""
    z, y, x = (_mean_style(predictor, slab, shape, axis) for axis in range(3))
    return z, y, x


def _mean_style(predictor: Predictor, slab: Slab, shape: tuple[int, int, int], axis: int) -> Floats:
    count = shape[axis]
    total: Any = 0.0
    for i in np.unique(np.linspace(0, count - 1, min(count, SAMPLES) + 2).round().astype(int)[1:-1]):
        box = [slice(0, size) for size in shape]
        box[axis] = slice(int(i), int(i) + 1)
        planes = _slice(slab((box[0], box[1], box[2])), axis, 0)
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

    `slab` gives the planes (2, Z, Y, X) of a box of the grid. Each slice is seen as a whole, so where slabs end does
    not matter; `thickness` is how many slices are in memory at once, None = all.
    """
    shape = outputs.shape[1:]
    done = 0
    for axis, style in enumerate(styles):
        step = thickness or shape[axis]
        for start in range(0, shape[axis], step):
            box = [slice(0, size) for size in shape]
            box[axis] = slice(start, min(start + step, shape[axis]))

            def on_slice(i: int, done: int = done) -> None:
                on_progress((done + i) / sum(shape))  # whoever is told may raise an exception to end the work

            planes = slab((box[0], box[1], box[2]))
            found = _predicted(predictor, planes, axis, style, parameters, on_slice)
            done += box[axis].stop - start
            first, second = (other for other in range(3) if other != axis)
            for component, values in zip((first, second, 3), found, strict=True):
                outputs[(component, *box)] += np.moveaxis(values, 0, axis)


def _predicted(
    predictor: Predictor,
    planes: Floats,
    axis: int,
    style: Floats,
    parameters: Parameters,
    on_slice: Callable[[int], None],
) -> Floats:
    """The slices across one axis: their share (3, N, B, C) in the flows along their two axes and the probability."""
    predict = predict_augmented if parameters.augment else predict_tiled
    count = planes.shape[1 + axis]
    rows, columns = (size for other, size in enumerate(planes.shape[1:]) if other != axis)
    found = np.empty((3, count, rows, columns), np.float32)
    for i in range(count):
        on_slice(i)
        found[:, i], _ = predict(
            predictor,
            _slice(planes, axis, i),
            parameters.tile,
            parameters.tile_overlap,
            style=style,
            multiple=STRIDE,  # all slices across one axis have one size, so few graphs are compiled all the same
        )
    found[:2] /= 2 * FLOW_SCALE
    found[2] /= 3
    return found


def _slice(planes: Floats, axis: int, index: int) -> Floats:
    """(2, B, C): slice number `index` across one axis, the other two in their order."""
    return np.ascontiguousarray(planes.take(index, axis + 1))
