"""Training of the size model: styles of images at many magnifications against the diameters of their objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cellspan.core.images import Floats, resize
from cellspan.core.models.registry import SizeModel
from cellspan.core.sizing import diameter_from_style, fit_size_model
from cellspan.core.training.data import Field

SMALLEST, LARGEST = 6.0, 150.0  # pixels
ENLARGED = 1.5  # times at most: beyond it the blur of enlarging would tell the size, which real large cells do not have
CROP = 256
VIEWS = 3  # magnifications per training image

Style = Callable[[Floats], NDArray[np.float32]]  # of an image (2, Y, X), as in segmentation


def train_size_model(style: Style, train: Sequence[Field], held_out: Sequence[Field], seed: int) -> SizeModel:
    """Fit on `train`, report the median relative error on `held_out`; both at the resolution of their files."""
    rng = np.random.default_rng(seed)
    model = fit_size_model(*_views(style, train, rng))
    if not held_out:
        return model
    seen, true = _views(style, held_out, rng)
    predicted = np.array([diameter_from_style(one, model) for one in seen])
    return model.model_copy(update={"median_error": float(np.median(np.abs(predicted / true - 1)))})


def _views(
    style: Style, fields: Sequence[Field], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    seen: list[NDArray[np.float32]] = []
    true: list[float] = []
    for field in fields:
        largest = np.clip(ENLARGED * field.diameter, 2 * SMALLEST, LARGEST)
        for diameter in np.exp(rng.uniform(np.log(SMALLEST), np.log(largest), VIEWS)):
            seen.append(style(_view(field.image, float(diameter) / field.diameter, rng)))
            true.append(float(diameter))
    return np.stack(seen), np.array(true)


def _view(image: Floats, factor: float, rng: np.random.Generator) -> Floats:
    """A random part of the image, magnified, at most CROP pixels high and wide."""
    height, width = image.shape[1:]
    side = min(max(16, int(np.ceil(CROP / factor))), max(height, width))
    y = rng.integers(0, max(1, height - side + 1))
    x = rng.integers(0, max(1, width - side + 1))
    part = image[:, y : y + side, x : x + side]
    shape = (max(1, round(part.shape[1] * factor)), max(1, round(part.shape[2] * factor)))
    return resize(part, (min(shape[0], CROP), min(shape[1], CROP)))
