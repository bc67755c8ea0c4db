"""Scores a model on annotated images before and after fine-tuning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cellspan.core.models.registry import Model
from cellspan.core.objects.metrics import average_precision
from cellspan.core.pictures.reading import read_image
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.data import channels_of, labels_of
from cellspan.core.training.pairs import Pair, divided

MOST_IMAGES = 24  # images segmented for one score


@dataclass(frozen=True)
class Comparison:
    """AP@0.5 of a model before and after fine-tuning, the mean over images."""

    before: float
    after: float
    images: int
    held_out: bool  # whether these images were not used for training

    def __str__(self) -> str:
        """The scores in one line."""
        images = f"{self.images} {'validation' if self.held_out else 'annotated'} image{'s' * (self.images != 1)}"
        seen = "" if self.held_out else " (on the training images)"
        return f"AP@0.5 on {images}: {self.before:.2f} before, {self.after:.2f} after{seen}"


def compared(
    start: Model, learn: Callable[[], Model], pairs: Sequence[Pair], split: bool = False
) -> tuple[Model, Comparison]:
    """The model that `learn` makes from `start`, and the scores of both on the annotated images."""
    chosen, held_out = _chosen(pairs)
    before = mean_average_precision(start, chosen, split)
    model = learn()
    return model, Comparison(before, mean_average_precision(model, chosen, split), len(chosen), held_out)


def _chosen(pairs: Sequence[Pair]) -> tuple[list[Pair], bool]:
    """Images to score, and whether they are held out: validation images if any, otherwise training images."""
    used, held_out = divided(pairs)
    chosen = held_out or used
    places = np.linspace(0, len(chosen) - 1, min(len(chosen), MOST_IMAGES))
    return [chosen[round(place)] for place in places], bool(held_out)


def mean_average_precision(model: Model, pairs: Sequence[Pair], split: bool = False) -> float:
    """Mean AP@0.5 of a model on annotated images, with default parameters; it estimates the diameters."""
    segmenter = Segmenter(model)
    scores = []
    for pair in pairs:
        image = read_image(pair.image, pair.series)
        true = labels_of(pair, image.shape, split)
        scores.append(average_precision(true, segmenter.segment(image, channels_of(pair, image)).labels, (0.5,))[0])
    return float(np.mean(scores)) if scores else 0.0
