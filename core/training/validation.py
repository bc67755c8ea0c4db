"""Validation: scores the weights of a training on held-out images."""

from __future__ import annotations

from cellspan.core.training import openmp  # noqa: F401 - before torch

# isort: split
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from cellspan.core.dynamics.labelling import flows_to_labels
from cellspan.core.models.architecture import FLOW_SCALE
from cellspan.core.models.kinds import MARGIN
from cellspan.core.models.network import FlowNetwork
from cellspan.core.objects.metrics import average_precision
from cellspan.core.pictures.images import Floats
from cellspan.core.training.data import Field
from cellspan.core.training.pictures import Example, draw_examples

FIELDS = 24  # of all sources together
SIMULATED_FIELDS = 6
SIDE = 320  # pixels; larger images are cut


def some_of_each(fields: list[Field], count: int = FIELDS) -> list[Field]:
    """About `count` fields, equally many from each source, spread evenly over its images."""
    sources = sorted({field.source for field in fields})
    some: list[Field] = []
    for source in sources:
        own = [field for field in fields if field.source == source]
        places = np.linspace(0, len(own) - 1, min(len(own), max(1, count // len(sources))))
        some += [own[round(place)] for place in places]
    return some


def validate(network: FlowNetwork, fields: Sequence[Field], diameter: float, picture: Path) -> dict[str, float]:
    """Mean AP@0.5 on the fields of each source, at their true diameter; draws one of each source into `picture`."""
    scores: dict[str, list[float]] = {}
    examples: list[Example] = []
    network.eval()
    for field in fields:
        cut = (slice(None), slice(0, SIDE), slice(0, SIDE))
        outputs = _predict(network, field.image[cut])
        predicted = flows_to_labels(outputs[:2] / FLOW_SCALE, outputs[2], diameter=diameter)
        true = field.labels[cut[1:]]
        score = average_precision(true, predicted, (0.5,))[0]
        if field.source not in scores:
            examples.append(Example(field.source, field.image[cut], true, predicted, score))
        scores.setdefault(field.source, []).append(score)
    if examples:
        draw_examples(examples, picture)
    return {source: round(float(np.mean(values)), 4) for source, values in sorted(scores.items())}


def _predict(network: FlowNetwork, image: Floats) -> Floats:
    height, width = image.shape[1:]
    multiple = 2 ** (len(network.downsample.down) - 1)  # the network halves images between its levels
    below, beside = (MARGIN + -(side + 2 * MARGIN) % multiple for side in (height, width))
    margins = ((0, 0), (MARGIN, below), (MARGIN, beside))
    with torch.inference_mode():
        outputs, _ = network(torch.from_numpy(np.pad(image, margins)[None]).to(network.diam_mean.device))
    found: Floats = outputs[0, :, MARGIN : MARGIN + height, MARGIN : MARGIN + width].cpu().numpy()
    return found
