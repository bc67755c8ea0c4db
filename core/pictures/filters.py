"""Smoothing and sharpening a plane before it is scaled, as Cellpose does it (`cellpose.transforms.smooth_sharpen_img`).

Two things differ from there, because they would move or mirror objects: the kernel lies in the middle of a pixel (there
it is one pixel off), and what lies beyond the border or outside a mask does not count (there the opposite border does).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.pictures.images import Floats

REACH = 4.0  # radii; what is farther away does not count


def filtered(plane: NDArray[Any], inside: NDArray[np.bool_] | None, smooth: float, sharpen: float) -> Floats:
    """A plane (Y, X) smoothed, less its surroundings, or both; `smooth` and `sharpen` are radii (sigma) in pixels.

    What is not `inside` takes no part, whatever it is, and becomes 0.
    """
    weights = np.ones(plane.shape, np.float32) if inside is None else inside.astype(np.float32)
    values = np.where(weights > 0, plane, 0).astype(np.float32)
    if smooth and sharpen:
        return _blurred(values, weights, smooth) - _blurred(values, weights, sharpen)
    if smooth:
        return _blurred(values, weights, smooth)
    # The pixel itself is not of its surroundings.
    own = np.float32(1 + 1 / (2 * math.pi * sharpen**2))
    return np.asarray(own * values - _blurred(values, weights, sharpen), np.float32)


def reach_of(smooth: float, sharpen: float) -> int:
    """How many pixels around it can change a pixel."""
    return int(REACH * max(smooth, sharpen) + 0.5)


def _blurred(values: Floats, weights: Floats, radius: float) -> Floats:
    """The Gaussian mean of what counts, and 0 elsewhere; `values` are 0 where `weights` are."""
    from scipy.ndimage import gaussian_filter  # only here, because planes do not need scipy otherwise: 0.3 s

    blurred = gaussian_filter(values, radius, mode="constant", truncate=REACH)
    counted = gaussian_filter(weights, radius, mode="constant", truncate=REACH)
    return np.where(weights > 0, blurred / np.maximum(counted, np.finfo(np.float32).tiny), 0).astype(np.float32)
