"""3D images: slice spacing, options for the engine, and the slice to display."""

from __future__ import annotations

from typing import Any

import numpy as np

from cellspan_plugin.layout import SLICES

LARGEST_ANISOTROPY = 100.0  # the engine's limit


def size_of(image: Any) -> tuple[int, ...]:
    """(Y, X), or (Z, Y, X) of a 3D image."""
    return tuple(image.pixel_data.shape[: image.dimensions])


def anisotropy_of(image: Any, given: float) -> float:
    """Slice spacing in pixels: the given one or, with 0, that of NamesAndTypes; 1 for 2D images."""
    if not image.volumetric:
        return 1.0
    if given > 0:
        return given
    slices, *within = (float(part) for part in image.spacing)
    found = slices / float(np.sqrt(np.prod(within)))
    if not 0 < found <= LARGEST_ANISOTROPY:
        raise ValueError(f"The slice spacing in NamesAndTypes, {found:g} pixels, is not possible; correct it there.")
    return found


def options(
    image: Any, method: str, anisotropy: float, stitch_threshold: float, smooth_flows: float = 0.0
) -> dict[str, Any]:
    """The engine's options for a 3D image; none for a 2D image."""
    if not image.volumetric:
        return {}
    whole: dict[str, Any] = {"do_3d": True, "smooth_flows": smooth_flows}
    way = {"stitch_threshold": stitch_threshold} if method == SLICES else whole
    return {**way, "anisotropy": anisotropy}


def fullest_slice(labels: np.ndarray) -> int:
    """The slice with the most objects; among equals, the first in which they cover the most pixels."""
    areas = [np.bincount(plane.ravel())[1:] for plane in labels]
    return max(range(len(labels)), key=lambda z: (np.count_nonzero(areas[z]), areas[z].sum()))
