"""The bounding box and the area of every object of a label image, in one pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellspan.core.compiled import njit


@njit
def label_boxes(labels: NDArray[np.int32], count: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Boxes (count, 4) as y0, x0, y1, x1 (ends exclusive) and areas (count,) of labels 1..count in (Y, X)."""
    height, width = labels.shape
    boxes = np.empty((count, 4), np.int32)
    boxes[:, 0] = height
    boxes[:, 1] = width
    boxes[:, 2:] = 0
    areas = np.zeros(count, np.int64)
    for y in range(height):
        for x in range(width):
            k = labels[y, x] - 1
            if k >= 0:
                areas[k] += 1
                boxes[k, 0] = min(boxes[k, 0], y)
                boxes[k, 1] = min(boxes[k, 1], x)
                boxes[k, 2] = max(boxes[k, 2], y + 1)
                boxes[k, 3] = max(boxes[k, 3], x + 1)
    return boxes, areas
