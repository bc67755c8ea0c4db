"""Validation: scores the weights of a training on held-out images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cellspan.core.dynamics.labelling import flows_to_labels
from cellspan.core.models.architecture import FLOW_SCALE
from cellspan.core.objects.metrics import average_precision
from cellspan.core.pictures.images import Floats
from cellspan.core.training.data import Field
from cellspan.core.training.pictures import Example, draw_examples

FIELDS = 24  # of all sources together
SIMULATED_FIELDS = 6
Look = Callable[[Floats], Floats]  # a normalised image (C, Y, X) -> outputs (3, Y, X)


def some_of_each(fields: list[Field], count: int = FIELDS) -> list[Field]:
    """About `count` fields, equally many from each source, spread evenly over its images."""
    sources = sorted({field.source for field in fields})
    some: list[Field] = []
    for source in sources:
        own = [field for field in fields if field.source == source]
        places = np.linspace(0, len(own) - 1, min(len(own), max(1, count // len(sources))))
        some += [own[round(place)] for place in places]
    return some


def validate(look: Look, side: int, fields: Sequence[Field], diameter: float, picture: Path) -> dict[str, float]:
    """Mean AP@0.5 on the fields of each source, at their true diameter; draws one of each source into `picture`.

    `look` gives the network's outputs for an image, of which it sees at most `side` pixels along each side.
    """
    scores: dict[str, list[float]] = {}
    examples: list[Example] = []
    for field in fields:
        cut = (slice(None), slice(0, side), slice(0, side))
        outputs = look(field.image[cut])
        predicted = flows_to_labels(outputs[:2] / FLOW_SCALE, outputs[2], diameter=diameter)
        true = field.labels[cut[1:]]
        score = average_precision(true, predicted, (0.5,))[0]
        if field.source not in scores:
            examples.append(Example(field.source, field.image[cut], true, predicted, score))
        scores.setdefault(field.source, []).append(score)
    if examples:
        draw_examples(examples, picture)
    return {source: round(float(np.mean(values)), 4) for source, values in sorted(scores.items())}
