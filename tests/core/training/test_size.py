"""The size model: how many views it is fitted on, and that each view shows an object."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.core.objects.labels import median_diameter
from cellspan.core.pictures.images import Floats
from cellspan.core.training.data import Field
from cellspan.core.training.size import CHECKED, FEWEST_VIEWS, VIEWS_PER_NUMBER, train_size_model

pytestmark = pytest.mark.quick


def lonely_disk(radius: int, side: int = 400) -> Field:
    """One disk in a corner of a dark image."""
    y, x = np.mgrid[:side, :side]
    labels = ((y - 50) ** 2 + (x - 50) ** 2 < radius**2).astype(np.int32)
    image = np.stack([labels, 0 * labels]).astype(np.float32)
    return Field("one", image, labels, np.zeros_like(image), median_diameter(labels))


class Observer:
    """Stands for the network: its style is the square root of the bright area, which tells the diameter."""

    def __init__(self) -> None:
        self.areas: list[float] = []

    def __call__(self, image: Floats) -> Floats:
        self.areas.append(float((image[0] > 0.5).sum()))
        return np.array([np.log(max(self.areas[-1], 1)) / 2, 0], np.float32)


def test_few_images_are_looked_at_often_and_always_at_an_object() -> None:
    style = Observer()
    fields = [lonely_disk(radius) for radius in (15, 20, 25, 30)]
    model = train_size_model(style, 100, fields, fields[:2], seed=0)
    assert len(style.areas) == (CHECKED + 100 * VIEWS_PER_NUMBER) + CHECKED
    assert min(style.areas) > 0
    assert model.median_error is not None
    assert model.median_error < 0.05


def test_many_images_are_looked_at_a_few_times_each() -> None:
    style = Observer()
    train_size_model(style, 2, [lonely_disk(10, side=100)] * 150, [], seed=0)
    assert len(style.areas) == 150 * FEWEST_VIEWS
