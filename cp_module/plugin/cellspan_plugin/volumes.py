"""What is special about 3D images: how far their slices are apart, what the engine is told, which slice is shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from cellspan_plugin.layout import SLICES
from cellspan_plugin.pixels import engine_pixels, engine_volume, two_channels, two_volumes

LARGEST_ANISOTROPY = 100.0  # that the engine takes


def size_of(image: Any) -> tuple[int, ...]:
    """Height and width, of a 3D image slices first."""
    return tuple(image.pixel_data.shape[: image.dimensions])


def anisotropy_of(image: Any, given: float) -> float:
    """Distance of the slices in pixels: the given one, or with 0 that of NamesAndTypes; 1 for images in 2D."""
    if not image.volumetric:
        return 1.0
    if given > 0:
        return given
    slices, *within = (float(part) for part in image.spacing)
    found = slices / float(np.sqrt(np.prod(within)))
    if not 0 < found <= LARGEST_ANISOTROPY:
        raise ValueError(f"The slices are {found:g} pixels apart by their spacing in NamesAndTypes; correct it there.")
    return found


def options(image: Any, method: str, anisotropy: float, stitch_threshold: float) -> dict[str, Any]:
    """The engine's options of a 3D image; none for one in 2D."""
    if not image.volumetric:
        return {}
    way = {"stitch_threshold": stitch_threshold} if method == SLICES else {"do_3d": True}
    return {**way, "anisotropy": anisotropy}


def pixels_of(image: Any) -> np.ndarray:
    """The image as the engine wants it."""
    return (engine_volume if image.volumetric else engine_pixels)(image.pixel_data, image.scale)


def with_nuclei(image: Any, nuclei_image: Any) -> np.ndarray:
    """Both images as channels 0 and 1."""
    join = two_volumes if image.volumetric else two_channels
    return join(pixels_of(image), pixels_of(nuclei_image))


def fullest_slice(labels: np.ndarray) -> int:
    """The slice with the most objects; of several, the one that they fill most, and the first of these."""
    areas = [np.bincount(plane.ravel())[1:] for plane in labels]
    return max(range(len(labels)), key=lambda z: (np.count_nonzero(areas[z]), areas[z].sum()))
