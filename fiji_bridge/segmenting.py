"""Segments an image of ImageJ inside this Python and hands the outlines back to ImageJ."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from numpy.typing import ArrayLike

from cellspan.core.images import Image, image_from_array
from cellspan.core.parameters import Parameters
from cellspan.core.segmenter import Result, Segmenter
from cellspan.fiji_bridge.images import axes_of, image_from_imagej
from cellspan.fiji_bridge.rois import Target, rois_to_imagej


def segment(
    image: ArrayLike | Any, parameters: Parameters | None = None, to: Target | None = None, device: str = "auto"
) -> Result:
    """Find the objects in an ImagePlus or an array.

    With `to`, their outlines are added to the ROI Manager ("roi_manager") or to the ImagePlus ("overlay").
    Raises CellspanError.
    """
    parameters = parameters or Parameters()
    result = _segmenter(parameters.model, device).segment(_as_image(image), parameters)
    if to is not None:
        rois_to_imagej(result.labels, image if _is_image_plus(image) else None, to)
    return result


@lru_cache(maxsize=2)
def _segmenter(model: str, device: str) -> Segmenter:
    return Segmenter(model, device)


def _is_image_plus(image: Any) -> bool:
    return hasattr(image, "getStack")


def _as_image(image: ArrayLike | Any) -> Image:
    if not _is_image_plus(image):
        return image_from_array(image)
    pixels = image_from_imagej(image)
    return image_from_array(pixels, axes_of(pixels, image))
