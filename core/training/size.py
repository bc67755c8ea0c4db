"""Trains the size model: regression of object diameters on styles, at many magnifications."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cellspan.core.models.registry import SizeModel
from cellspan.core.models.sizing import diameter_from_style, fit_size_model
from cellspan.core.pictures.images import Floats
from cellspan.core.pictures.resizing import resize
from cellspan.core.training.data import Field

SMALLEST, LARGEST = 6.0, 150.0  # pixels
ENLARGED = 1.5  # at most; beyond this, blur from enlarging would reveal the size, which real large cells do not have
CROP = 256
FEWEST_VIEWS = 3  # per image
CHECKED = 60  # views of all images together, at least
VIEWS_PER_NUMBER = 3  # of the style, besides: a regression on as many views as numbers would fit their noise

Style = Callable[[Floats], NDArray[np.float32]]  # style of an image (2, Y, X), as in segmentation


def train_size_model(
    style: Style, length: int, train: Sequence[Field], held_out: Sequence[Field], seed: int
) -> SizeModel:
    """Fit on `train`, report the median relative error on `held_out`; both at the resolution of their files.

    `length` is that of a style.
    """
    rng = np.random.default_rng(seed)
    model = fit_size_model(*_views(style, train, CHECKED + VIEWS_PER_NUMBER * length, rng))
    if not held_out:
        return model
    seen, true = _views(style, held_out, CHECKED, rng)
    predicted = np.array([diameter_from_style(one, model) for one in seen])
    return model.model_copy(update={"median_error": float(np.median(np.abs(predicted / true - 1)))})


def _views(
    style: Style, fields: Sequence[Field], count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Styles (n, S) of about `count` views of the fields, and the diameters (n,) of the objects in them."""
    each = max(FEWEST_VIEWS, math.ceil(count / len(fields)))
    seen: list[NDArray[np.float32]] = []
    true: list[float] = []
    for field in fields:
        largest = np.clip(ENLARGED * field.diameter, 2 * SMALLEST, LARGEST)
        wanted = np.exp(rng.uniform(np.log(SMALLEST), np.log(largest), each))
        for diameter, pixel in zip(wanted, _pixels_of_objects(field, each, rng), strict=True):
            seen.append(style(_view(field.image, float(diameter) / field.diameter, pixel)))
            true.append(float(diameter))
    return np.stack(seen), np.array(true)


def _pixels_of_objects(field: Field, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Random positions (count, 2) in objects, because an empty view contains no size."""
    inside = np.flatnonzero(field.labels)
    return np.stack(np.unravel_index(rng.choice(inside, count), field.labels.shape), axis=1)


def _view(image: Floats, factor: float, pixel: NDArray[np.intp]) -> Floats:
    """The part of the image around a pixel, magnified, at most CROP pixels high and wide."""
    height, width = image.shape[1:]
    side = min(max(16, int(np.ceil(CROP / factor))), max(height, width))
    y, x = (
        min(max(0, int(place) - side // 2), max(0, length - side))
        for place, length in zip(pixel, (height, width), strict=True)
    )
    part = image[:, y : y + side, x : x + side]
    shape = (max(1, round(part.shape[1] * factor)), max(1, round(part.shape[2] * factor)))
    return resize(part, (min(shape[0], CROP), min(shape[1], CROP)))
