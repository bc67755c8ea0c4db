"""The objects of a plane as the page draws them: polygons, with what is known of each object."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.objects.labels import Labels, areas, on_edges
from cellspan.core.objects.outlines import trace_outlines
from cellspan.core.results.volume_pictures import object_colours
from cellspan.review_page.quality import Quality


def drawn_objects(plane: Labels, quality: Quality) -> list[dict[str, Any]]:
    """One entry for each closed loop of each object in (Y, X): an object with holes has several.

    A colour belongs to a number, so that an object of a volume has one colour in all slices.
    """
    count = int(plane.max(initial=0))
    sizes, edges = areas(plane, count), on_edges(plane, count)
    colours = object_colours(count)
    objects = []
    for number, loops in enumerate(trace_outlines(plane), 1):
        if not loops:
            continue
        about = {
            "label": number,
            "area": int(sizes[number - 1]),
            "probability": _known(quality.probability, number),
            "flowError": _known(quality.flow_error, number),
            "edge": bool(edges[number - 1]),
            "color": "#" + colours[number - 1].tobytes().hex(),
        }
        objects += [{**about, "polygon": loop.ravel().tolist()} for loop in loops]
    return objects


def _known(values: NDArray[np.float32], number: int) -> float | None:
    """The value of an object, None if it is not known."""
    value = float(values[number]) if number < len(values) else math.nan
    return round(value, 3) if math.isfinite(value) else None
