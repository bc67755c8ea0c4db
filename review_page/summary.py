"""The numbers of an image in the grid, and the flags that tell a person where to look first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cellspan.core.objects.labels import Labels, areas, diameters, on_edges
from cellspan.review_page.quality import Quality

EMPTY, CROWDED, EDGES, UNSURE, DIAMETER = FLAGS = ("empty", "crowded", "edges", "low probability", "diameter")
FULL = 0.6  # of the image covered by objects
MANY = 3.0  # times as many objects as in the middle image
AT_EDGES = 1.5  # times as many at the edges as chance puts there
LEAST_AT_EDGES = 5  # objects
LOW = 1.0  # logit, a probability of 0.73: the middle object's mean
FAR = 1.5  # times the middle image's diameter
LEAST_IMAGES = 4  # with objects, to speak of a middle image


@dataclass(frozen=True)
class Summary:
    """What is known of the objects of one image."""

    count: int
    diameter: float | None  # the median, in pixels
    covered: float = 0.0  # fraction of the image
    at_edges: int = 0
    probability: float | None = None  # the middle object's mean, a logit
    side: float = 0.0  # geometric mean of height and width

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)

    @classmethod
    def of_json(cls, found: Mapping[str, Any]) -> Summary:
        """Raises TypeError for other fields."""
        return cls(**found)


def summary_of(labels: Labels, quality: Quality) -> Summary:
    """The numbers of (Y, X) or (Z, Y, X); numbers of objects may have gaps."""
    highest = int(labels.max(initial=0))
    sizes = areas(labels, highest)
    there = sizes > 0
    count = int(np.count_nonzero(there))
    side = math.sqrt(labels.shape[-1] * labels.shape[-2])
    if not count:
        return Summary(0, None, side=side)
    known = quality.probability[1 : highest + 1]
    known = known[np.isfinite(known) & there[: len(known)]]
    return Summary(
        count,
        round(float(np.median(diameters(labels))), 2),
        round(float(sizes.sum()) / labels.size, 4),
        # In a volume, the slices at the top and the bottom cut many objects, which says nothing of the picture.
        int(np.count_nonzero(_at_sides(labels, highest) & there)),
        round(float(np.median(known)), 3) if len(known) else None,
        side,
    )


def _at_sides(labels: Labels, highest: int) -> Any:
    if labels.ndim == 2:
        return on_edges(labels, highest)
    touching = np.zeros(highest + 1, bool)
    for axis in (1, 2):
        touching[labels.take((0, -1), axis)] = True
    return touching[1:]


def flags_of(summaries: Sequence[Summary | None]) -> list[list[str]]:
    """The flags of each image of a folder; some compare it with the others."""
    found = [one for one in summaries if one is not None and one.count]
    enough = len(found) >= LEAST_IMAGES
    middle_count = float(np.median([one.count for one in found])) if enough else math.inf
    middle = float(np.median([one.diameter for one in found if one.diameter])) if enough else None
    return [[] if one is None else _flags(one, middle_count, middle) for one in summaries]


def _flags(one: Summary, middle_count: float, middle: float | None) -> list[str]:
    if not one.count:
        return [EMPTY]
    flags = []
    if one.covered > FULL or one.count > MANY * middle_count:
        flags.append(CROWDED)
    if one.at_edges >= LEAST_AT_EDGES and one.at_edges > AT_EDGES * _expected_at_edges(one):
        flags.append(EDGES)
    if one.probability is not None and one.probability < LOW:
        flags.append(UNSURE)
    if middle and one.diameter and not middle / FAR <= one.diameter <= middle * FAR:
        flags.append(DIAMETER)
    return flags


def _expected_at_edges(one: Summary) -> float:
    """How many objects, scattered by chance, the edges of the image cut.

    Objects whose centres lie within half a diameter of an edge, on either side, meet it.
    """
    diameter, side = one.diameter or 0.0, max(one.side, 1.0)
    return one.count * min(1.0, 4 * diameter * side / (side + diameter) ** 2)
