"""Label images to flow fields: the training target and the yardstick of the flow error.

Each object is heated at the pixel nearest its centre of mass, the heat diffuses inside the object only, and the flow is
the direction in which the heat rises (Stringer et al. 2021, Methods, "Auxiliary vector flow representation"; the paper
says median, but the models that people share were trained on, and are checked against, the mean).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellspan.core.boxes import label_boxes
from cellspan.core.compiled import PARALLEL, njit, prange
from cellspan.core.labels import as_labels
from cellspan.core.volumes.diffusion import volume_flows


def labels_to_flows(labels: ArrayLike) -> NDArray[np.float32]:
    """Labels (Y, X) -> flows (2, Y, X), order y, x: unit length inside objects, 0 outside.

    A volume (Z, Y, X) with cubic voxels -> (3, Z, Y, X), order z, y, x.
    """
    array = as_labels(labels)
    if array.ndim == 3:
        return volume_flows(array)
    boxes, areas = label_boxes(array, int(array.max(initial=0)))
    flows = np.zeros((2, *array.shape), np.float32)
    with PARALLEL:
        _diffuse_objects(array, boxes, areas, flows)
    return flows


@njit
def centre(labels: Any, label: int, area: int, box: Any) -> tuple[int, int]:
    """The object's pixel nearest the mean of its pixels, the first in reading order among equals."""
    y0, x0, y1, x1 = box
    sum_y = sum_x = 0
    for y in range(y0, y1):
        for x in range(x0, x1):
            if labels[y, x] == label:
                sum_y += y
                sum_x += x
    mean_y, mean_x = sum_y / area, sum_x / area
    best, best_y, best_x = np.inf, y0, x0
    for y in range(y0, y1):
        for x in range(x0, x1):
            distance = (y - mean_y) ** 2 + (x - mean_x) ** 2
            if distance < best and labels[y, x] == label:
                best, best_y, best_x = distance, y, x
    return best_y, best_x


# float64: heat falls by a factor of 10^40 and more along a filament, which float32 cannot hold.
@njit(parallel=True)
def _diffuse_objects(labels: Any, boxes: Any, areas: Any, flows: Any) -> None:
    """Fill `flows` object by object, each within its own bounding box."""
    for k in prange(len(boxes)):
        if areas[k] == 0:
            continue
        label = k + 1
        y0, x0, y1, x1 = boxes[k]
        centre_y, centre_x = centre(labels, label, areas[k], boxes[k])
        height, width = y1 - y0, x1 - x0
        # One pixel of cold border on every side.
        inside = np.zeros((height + 2, width + 2))
        for y in range(height):
            for x in range(width):
                if labels[y0 + y, x0 + x] == label:
                    inside[y + 1, x + 1] = 1 / 9
        heat = np.zeros_like(inside)
        rows = np.zeros_like(inside)
        cy, cx = centre_y - y0 + 1, centre_x - x0 + 1
        for _ in range(2 * (height + width)):
            heat[cy, cx] += 1
            _spread(heat, rows, inside)
        for y in range(height):
            for x in range(width):
                if labels[y0 + y, x0 + x] == label:
                    dy = heat[y + 2, x + 1] - heat[y, x + 1]
                    dx = heat[y + 1, x + 2] - heat[y + 1, x]
                    length = np.sqrt(dy * dy + dx * dx)
                    if length > 0:
                        flows[0, y0 + y, x0 + x] = dy / length
                        flows[1, y0 + y, x0 + x] = dx / length


@njit(fastmath=True)
def _spread(heat: Any, rows: Any, inside: Any) -> None:
    """One step of diffusion: every pixel becomes the mean of its 3x3 neighbourhood, 0 outside the object."""
    height, width = heat.shape
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            rows[y, x] = heat[y, x - 1] + heat[y, x] + heat[y, x + 1]
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            heat[y, x] = inside[y, x] * (rows[y - 1, x] + rows[y, x] + rows[y + 1, x])
