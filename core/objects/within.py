"""Labels within a mask: cut at its border, and which of them touch it; planes and volumes alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellspan.core.objects.boundaries import border_pixels
from cellspan.core.objects.labels import Labels
from cellspan.core.pictures.images import Mask


def cut_to(labels: Labels, mask: Mask) -> Labels:
    """Background outside the mask; the labels themselves if nothing lies there."""
    return np.where(mask, labels, 0).astype(np.int32) if labels[~mask].any() else labels


def on_border(labels: Labels, mask: Mask, count: int) -> NDArray[np.bool_]:
    """Which of the labels 1..count touch the border of the mask."""
    touching = np.zeros(count + 1, bool)
    touching[labels[border_pixels(mask)]] = True
    return touching[1:]
