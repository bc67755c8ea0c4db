"""Labels within a mask: cut at its border, and which of them touch it; planes and volumes alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellspan.core.objects.labels import Labels

Mask = NDArray[np.bool_]  # of the shape of the labels


def cut_to(labels: Labels, mask: Mask) -> Labels:
    """Background outside the mask; the labels themselves if nothing lies there."""
    return np.where(mask, labels, 0).astype(np.int32) if labels[~mask].any() else labels


def border_of(mask: Mask) -> Mask:
    """The pixels of the mask with a neighbour, along any axis, outside it; the border of the image is none."""
    inner = mask.copy()
    for axis in range(mask.ndim):
        own, left = np.moveaxis(mask, axis, 0), np.moveaxis(inner, axis, 0)  # views
        left[1:] &= own[:-1]
        left[:-1] &= own[1:]
    return np.asarray(mask & ~inner)


def on_border(labels: Labels, mask: Mask, count: int) -> NDArray[np.bool_]:
    """Which of the labels 1..count touch the border of the mask."""
    touching = np.zeros(count + 1, bool)
    touching[labels[border_of(mask)]] = True
    return touching[1:]
