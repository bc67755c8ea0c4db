"""Intensities on one scale: percentiles become 0 and 1, what was cut out of the picture becomes background."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.machine.memory import require_memory
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.channels import main_channel, one_channel
from cellspan.core.pictures.images import PLANES, Floats, Image

CONSTANT = "The image is constant, so there is nothing to find."


def network_input(image: Image, parameters: Parameters) -> tuple[Floats, list[str]]:
    """The network's two channels (2, Y, X), normalised: what to segment, and nuclei or zeros; and notes for people.

    NaN, where a mask or ROI was cut out, is background. Raises CellspanError for a missing channel and for pixels that
    are not numbers.
    """
    _require_planes(image, parameters)
    main, notes = main_channel(image, parameters.channel)
    planes = np.zeros((2, *image.shape), np.float32)
    planes[0], constant = normalise(main, parameters)
    cut_out = nan_note(_count_nan(main), main.size)
    if constant:
        notes.append(CONSTANT)
    if parameters.nuclei_channel is not None:
        nuclei = one_channel(image, parameters.nuclei_channel, "nuclei_channel")
        planes[1], _ = normalise(nuclei, parameters)
        cut_out = cut_out or nan_note(_count_nan(nuclei), nuclei.size)
    if not np.isfinite(planes).all():
        raise CellspanError("the intensities are too large for 32-bit numbers; divide them first.")
    return planes, notes + cut_out


def nan_note(count: int, of: int, what: str = "pixels") -> list[str]:
    """The note on how many pixels are NaN; none if there are none."""
    if not count:
        return []
    return [f"{count} of {of} {what} are NaN, as where a mask or ROI was cut out; they are taken as background."]


def _count_nan(plane: NDArray[Any]) -> int:
    return int(np.count_nonzero(np.isnan(plane))) if plane.dtype.kind == "f" else 0


def _require_planes(image: Image, parameters: Parameters) -> None:
    """Refuse an image whose normalised planes do not fit into the memory; raises CellspanError."""
    luminance = 4 * (2 * len(image.channels) + 1) if image.is_rgb and parameters.channel is None else 0
    nuclei = 0 if parameters.nuclei_channel is None else 4
    height, width = image.shape
    needed = math.prod(image.shape) * (PLANES + image.channels.dtype.itemsize + luminance + nuclei)
    require_memory(needed, f"an image of {width} x {height} pixels", "segment it in parts or at a lower resolution")


def normalise(plane: NDArray[Any], parameters: Parameters) -> tuple[Floats, bool]:
    """Map the plane's percentiles to 0 and 1, invert if asked; the flag says whether the plane is constant.

    NaN is left out of the percentiles and becomes background: 0, or the lowest value where nothing is normalised.
    Raises CellspanError for infinities, and if all is NaN.
    """
    numbers = _numbers(plane)
    constant = bool(numbers.min() == numbers.max())
    if parameters.normalize is None:
        with np.errstate(over="ignore"):  # infinities are refused by the caller
            scaled = plane.astype(np.float32)
    elif constant:
        return np.zeros(plane.shape, np.float32), True
    else:
        low, high = (float(value) for value in np.percentile(numbers, parameters.normalize))
        if low == high:  # a few bright pixels on a flat background, or the reverse
            low, high = float(numbers.min()), float(numbers.max())
        scaled = np.empty(plane.shape, np.float32)
        for source, target in zip(plane, scaled, strict=True):  # row by row, to need no second image in memory
            # In float64, because 32-bit integers do not fit float32.
            target[:] = (source.astype(np.float64) - low) / (high - low)
    scaled = 1 - scaled if parameters.invert else scaled
    if numbers.size < plane.size:
        scaled[np.isnan(plane)] = np.nanmin(scaled) if parameters.normalize is None else 0
    return scaled, constant


def _numbers(plane: NDArray[Any]) -> NDArray[Any]:
    """The pixels that are numbers: all of them, or those beside NaN; raises CellspanError."""
    if plane.dtype.kind != "f" or np.isfinite(plane).all():
        return plane
    if np.isinf(plane).any():
        bad = plane.size - int(np.count_nonzero(np.isfinite(plane)))
        raise CellspanError(f"{bad} pixels are NaN or infinite; replace them (for example with 0) first.")
    numbers = plane[~np.isnan(plane)]
    if not numbers.size:
        raise CellspanError("all pixels are NaN, so there is nothing to look at.")
    return np.asarray(numbers)
