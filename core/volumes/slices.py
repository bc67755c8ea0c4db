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
from cellspan.core.parameters import Parameters

FLOW_SCALE = 5  # the network's flows are 5 times too long, see core.network
SAMPLES = 6  # slices along each axis that tell the style

Styles = tuple[Floats, Floats, Floats]  # of slices along z, y and x


def sampled_styles(predictor: Predictor, planes: Floats) -> Styles:
    """The mean style of some slices of the grid planes (2, Z, Y, X) across each axis."""
    z, y, x = (_mean_style(predictor, planes, axis) for axis in range(3))
    return z, y, x


def mean_styles(styles: list[Styles]) -> Styles:
    """The mean over several parts of a volume."""
    z, y, x = (unit(np.mean(axis, axis=0, dtype=np.float64)) for axis in zip(*styles, strict=True))
    return z, y, x


def _mean_style(predictor: Predictor, planes: Floats, axis: int) -> Floats:
    count = planes.shape[1 + axis]
    chosen = np.unique(np.linspace(0, count - 1, min(count, SAMPLES) + 2).round().astype(int)[1:-1])
    # Bright slices say more of the objects than dark ones do.
    total: Any = 0.0
    for i in chosen:
        part = _slice(planes, axis, int(i))
        total = total + (float(part[0].std()) + 1e-6) * sample_style(predictor, part).astype(np.float64)
    return unit(np.asarray(total))


def predict_slices(
    predictor: Predictor, planes: Floats, styles: Styles, parameters: Parameters, on_progress: Callable[[float], None]
) -> Floats:
    """Grid planes (2, Z, Y, X) -> flows along z, y, x in voxels per step and the probability: (4, Z, Y, X)."""
    predict = predict_augmented if parameters.augment else predict_tiled
    total = np.zeros((4, *planes.shape[1:]), np.float32)
    slices, done = sum(planes.shape[1:]), 0
    for axis, style in enumerate(styles):
        along = [other for other in range(3) if other != axis]
        for i in range(planes.shape[1 + axis]):
            on_progress(done / slices)  # whoever is told may raise an exception to end the work
            found, _ = predict(
                predictor,
                _slice(planes, axis, i),
                parameters.tile,
                parameters.tile_overlap,
                style=style,
                multiple=STRIDE,  # all slices across one axis have one size, so few graphs are compiled all the same
            )
            for component, source in ((along[0], 0), (along[1], 1), (3, 2)):
                np.moveaxis(total[component], axis, 0)[i] += found[source]
            done += 1
    total[:3] /= 2 * FLOW_SCALE
    total[3] /= 3
    return total


def _slice(planes: Floats, axis: int, index: int) -> Floats:
    """(2, B, C): slice number `index` across one axis, the other two in their order."""
    return np.ascontiguousarray(planes.take(index, axis + 1))
