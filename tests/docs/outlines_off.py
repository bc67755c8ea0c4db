"""The pictures of docs/outlines_off.md: a setting that is off, and the one that is right.

    python -m tests.docs.outlines_off            draws them anew

All on one simulated field of nuclei, whose true labels tell that the second setting is the better one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cellspan.core import Parameters, Segmenter, average_precision
from cellspan.core.objects.labels import Labels
from cellspan.core.pictures.images import Floats, Image
from cellspan.core.results.overlays import plane_overlay, write_picture
from cellspan.core.training.simulate import simulate_nuclei

DOCS = Path(__file__).parents[2] / "docs"
SIDE, DIAMETER = 300, 34  # pixels
GAP = 8  # white pixels between the two pictures
AVERAGED = (0.5, 0.75, 0.9)  # IoU


@dataclass(frozen=True)
class Example:
    """What is seen, and the options before and after."""

    symptom: str
    before: Parameters
    after: Parameters
    uneven_light: bool = False

    @property
    def picture(self) -> Path:
        """Where it is drawn."""
        return DOCS / f"outlines_{self.symptom}.png"


RIGHT = Parameters(diameter=DIAMETER)
EXAMPLES = (
    Example("split", Parameters(diameter=10), RIGHT),
    Example("merged", Parameters(diameter=110), RIGHT),
    Example("missed", RIGHT, Parameters(diameter=DIAMETER, tile_norm=80), uneven_light=True),
    Example("wide", Parameters(diameter=DIAMETER, cellprob_threshold=-4), RIGHT),
)


def image_of(example: Example) -> tuple[Floats, Labels]:
    """The field (Y, X) and its true labels."""
    field = simulate_nuclei((SIDE, SIDE), diameter=DIAMETER, seed=3)
    dimmer = np.exp(-6 * np.linspace(0, 1, SIDE, dtype=np.float32))[:, None]
    return field.image * dimmer if example.uneven_light else field.image, field.labels


def scores(example: Example, segmenter: Segmenter) -> Iterator[tuple[Labels, float]]:
    """Before and after: the labels, and their mean average precision."""
    image, true = image_of(example)
    for parameters in (example.before, example.after):
        labels = segmenter.segment(image, parameters).labels
        yield labels, float(np.mean(average_precision(true, labels, AVERAGED)))


def draw(example: Example, segmenter: Segmenter) -> None:
    """Both overlays side by side."""
    image = Image(image_of(example)[0][None])
    pictures = [plane_overlay(image, labels, RIGHT) for labels, _ in scores(example, segmenter)]
    gap = np.full_like(pictures[0][:, :GAP], 255)
    write_picture(example.picture, np.concatenate([pictures[0], gap, pictures[1]], axis=1))


if __name__ == "__main__":
    for example in EXAMPLES:
        draw(example, Segmenter("nuclei", "cpu"))
