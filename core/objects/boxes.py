"""The bounding box and the area of every object of a label image, in one pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellspan.core.machine.compiled import njit


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
        x = 0
        while x < width:
            start = x
            k = labels[y, x] - 1
            x += 1
            # Neighbours in a row mostly belong together, so that a table is touched once for all of them.
            while x < width and labels[y, x] - 1 == k:
                x += 1
            if k >= 0:
                areas[k] += x - start
                boxes[k, 0] = min(boxes[k, 0], y)
                boxes[k, 1] = min(boxes[k, 1], start)
                boxes[k, 2] = max(boxes[k, 2], y + 1)
                boxes[k, 3] = max(boxes[k, 3], x)
    return boxes, areas
