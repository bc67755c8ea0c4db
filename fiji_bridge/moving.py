"""Moves an outline of ImageJ to another place, polygons and composites alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from roifile import ImagejRoi

CLOSE = 4  # of the segments of a java.awt path; move to (0) and line to (1) have a point


def move(roi: ImagejRoi, x: int, y: int) -> None:
    """Add x and y to all coordinates, in pixels."""
    roi.left, roi.right, roi.top, roi.bottom = roi.left + x, roi.right + x, roi.top + y, roi.bottom + y
    if roi.multi_coordinates is not None:
        roi.multi_coordinates = _moved_path(np.array(roi.multi_coordinates, np.float32), x, y)


def _moved_path(path: NDArray[np.float32], x: int, y: int) -> NDArray[np.float32]:
    i = 0
    while i < len(path):
        if path[i] == CLOSE:
            i += 1
        else:
            path[i + 1] += x
            path[i + 2] += y
            i += 3
    return path
