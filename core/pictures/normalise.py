"""Intensities on one scale: limits or percentiles become 0 and 1, what was cut out of a picture becomes background."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.machine.memory import require_memory
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.channels import channels_apart, main_channels, one_channel, require_nuclei
from cellspan.core.pictures.filters import filtered
from cellspan.core.pictures.images import PLANES, Floats, Image, Mask
from cellspan.core.pictures.uneven_light import Tiles

FILTERS = 28  # bytes for each pixel while a plane is smoothed: values, weights, and both again, blurred and divided
TILES = 24  # the same while it is scaled by tiles: maps in 32 and in 64 bits
CONSTANT = "The image is constant, so there is nothing to find."


@dataclass(frozen=True)
class Scaled:
    """The channels that are looked at, each on one scale (Y, X)."""

    to_segment: list[Floats]
    nuclei: Floats | None
    is_flat: bool  # whether all that is to be segmented is constant
    notes: list[str]


def scaled_channels(image: Image, parameters: Parameters, apart: int | None = None, sees_nuclei: bool = True) -> Scaled:
    """The channels that the parameters choose, each normalised; `apart` and `sees_nuclei` as in `network_input`.

    What lies outside the image's mask is background, and so is NaN, where a mask or ROI was cut out. Raises
    CellspanError for a missing channel and for pixels that are not numbers.
    """
    if apart is not None:
        sources, nuclei, notes = _each_by_itself(image, parameters, apart)
    else:
        require_nuclei(parameters, sees_nuclei)
        sources, notes = main_channels(image, parameters.channels)
        index = parameters.nuclei_channel
        nuclei = None if index is None else one_channel(image, index, "nuclei_channel")
    notes += replaced_note(parameters)
    found = [normalise(plane, parameters, image.mask, parameters.limits_of(k)) for k, plane in enumerate(sources)]
    helper = None
    if nuclei is not None:
        helper = _finite(normalise(nuclei, parameters, image.mask, parameters.limits_of(len(sources)))[0])
    is_flat = all(constant for _, constant in found)
    cut_out = [nan_note(_count_nan(plane, image.mask), plane.size) for plane in sources]
    if nuclei is not None:
        cut_out.append(nan_note(_count_nan(nuclei, image.mask), nuclei.size))
    notes += [CONSTANT] * is_flat + next((note for note in cut_out if note), [])
    return Scaled([_finite(plane) for plane, _ in found], helper, is_flat, notes)


def network_input(
    image: Image, parameters: Parameters, apart: int | None = None, sees_nuclei: bool = True
) -> tuple[Floats, list[str]]:
    """The network's two channels (2, Y, X), normalised: what to segment, and nuclei or zeros; and notes for people.

    For a network that sees up to `apart` channels each by itself: those that are chosen, else all, and zeros. For one
    that sees no nuclei, one channel (1, Y, X). Raises as `scaled_channels` does.
    """
    _require_planes(image, parameters, apart)
    scaled = scaled_channels(image, parameters, apart, sees_nuclei)
    seen = scaled.to_segment if apart is not None else [combined(scaled.to_segment, parameters.combine)]
    planes = np.zeros((apart or 1 + sees_nuclei, *image.shape), np.float32)
    for plane, source in zip(planes, [*seen, *([] if scaled.nuclei is None else [scaled.nuclei])], strict=False):
        plane[:] = source
    return planes, scaled.notes


def _each_by_itself(
    image: Image, parameters: Parameters, most: int
) -> tuple[list[NDArray[Any]], NDArray[Any] | None, list[str]]:
    """The channels that a network sees each by itself, that of the nuclei if there is one, and notes."""
    chosen, notes = channels_apart(len(image.channels), image.main, parameters, most)
    planes = [image.channels[channel] for channel in chosen]
    return (planes, None, notes) if parameters.nuclei_channel is None else (planes[:-1], planes[-1], notes)


def _finite(planes: Floats) -> Floats:
    """The same planes; raises CellspanError if numbers became infinite."""
    if not np.isfinite(planes).all():
        raise CellspanError("the intensities are too large for 32-bit numbers; divide them first.")
    return planes


def replaced_note(parameters: Parameters) -> list[str]:
    """The note that fixed limits replace other options that were chosen."""
    names = parameters.without_effect
    if not names:
        return []
    return [f"The grey values in limits are fixed, so {' and '.join(names)} had no effect."]


def combined(planes: Sequence[NDArray[Any]], how: str) -> NDArray[Any]:
    """Several channels, each scaled, as one: their `mean`, or at each pixel the `maximum`."""
    if len(planes) == 1:
        return planes[0]
    return reduce(np.maximum, planes) if how == "maximum" else reduce(np.add, planes) / np.float32(len(planes))


def nan_note(count: int, of: int, what: str = "pixels") -> list[str]:
    """The note on how many pixels are NaN; none if there are none."""
    if not count:
        return []
    return [f"{count} of {of} {what} are NaN, as where a mask or ROI was cut out; they are taken as background."]


def _count_nan(plane: NDArray[Any], mask: Mask | None) -> int:
    if plane.dtype.kind != "f":
        return 0
    return int(np.count_nonzero(np.isnan(plane if mask is None else plane[mask])))


def _require_planes(image: Image, parameters: Parameters, apart: int | None) -> None:
    """Refuse an image whose normalised planes do not fit into the memory; raises CellspanError."""
    is_mixed = image.is_rgb and parameters.channel is None and apart is None
    luminance = 4 * (2 * len(image.channels) + 1) if is_mixed else 0
    nuclei = 0 if parameters.nuclei_channel is None else 4
    several = 4 * len(parameters.channels[1:]) if apart is None else 4 * (apart - 2)
    filters = FILTERS if parameters.smooth or parameters.sharpen else 0
    tiles = TILES if parameters.tile_norm else 0
    inside = 0 if image.mask is None else 2 + image.channels.dtype.itemsize
    per_pixel = PLANES + image.channels.dtype.itemsize + luminance + nuclei + several + filters + tiles + inside
    height, width = image.shape
    needed = math.prod(image.shape) * per_pixel
    require_memory(needed, f"an image of {width} x {height} pixels", "segment it in parts or at a lower resolution")


def normalise(
    plane: NDArray[Any],
    parameters: Parameters,
    mask: Mask | None = None,
    limits: tuple[float, float] | None = None,
) -> tuple[Floats, bool]:
    """Map the plane's limits or percentiles to 0 and 1, invert if asked; the flag says whether the plane is constant.

    NaN and what lies outside the mask are left out of the percentiles and become background: 0, or the lowest value
    where nothing is normalised. Raises CellspanError for infinities inside, and if there is nothing but NaN.
    """
    inside = _inside(plane, mask)
    numbers = plane if inside is None else plane[inside]
    constant = bool(numbers.min() == numbers.max())
    if limits is None and (parameters.smooth or parameters.sharpen) and not constant:
        plane = filtered(plane, inside, parameters.smooth, parameters.sharpen)
        numbers = plane if inside is None else plane[inside]
    is_plain = limits is None and parameters.normalize is None
    with np.errstate(over="ignore", invalid="ignore"):  # the caller refuses infinities; outside, all is overwritten
        if is_plain:
            scaled = plane.astype(np.float32)
        elif limits is not None:
            scaled = _scaled(plane, *limits)
        elif constant:
            return np.zeros(plane.shape, np.float32), True
        else:
            scaled = _scaled(plane, *_low_and_high(plane, numbers, inside, parameters))
        scaled = 1 - scaled if parameters.invert else scaled
    if inside is not None:
        scaled[~inside] = scaled[inside].min() if is_plain else 0
    return scaled, constant


def _low_and_high(
    plane: NDArray[Any], numbers: NDArray[Any], inside: Mask | None, parameters: Parameters
) -> tuple[Any, Any]:
    """What becomes 0 and what becomes 1: numbers, or maps (Y, X) of them if the light is uneven."""
    assert parameters.normalize is not None
    lowest = float(numbers.min())
    if parameters.tile_norm:
        tiles = Tiles((plane.shape[0], plane.shape[1]), parameters.tile_norm)
        grid = tiles.grid(plane, inside, parameters.normalize) - lowest  # large integers do not fit float32
        maps = tiles.maps(grid[None], float(numbers.max()) - lowest)
        if maps is not None:
            return maps[0].astype(np.float64) + lowest, maps[1].astype(np.float64) + lowest
    low, high = (float(value) for value in np.percentile(numbers, parameters.normalize))
    if low == high:  # a few bright pixels on a flat background, or the reverse
        low, high = lowest, float(numbers.max())
    return low, high


def _scaled(plane: NDArray[Any], low: Any, high: Any) -> Floats:
    """The plane with `low` as 0 and `high` as 1, each a number or a map (Y, X)."""
    scaled = np.empty(plane.shape, np.float32)
    rows = (repeat(value, len(plane)) if np.ndim(value) == 0 else value for value in (low, high))
    for source, target, zero, one in zip(plane, scaled, *rows, strict=True):  # to need no second image in memory
        # In float64, because 32-bit integers do not fit float32.
        target[:] = (source.astype(np.float64) - zero) / (one - zero)
    return scaled


def _inside(plane: NDArray[Any], mask: Mask | None) -> Mask | None:
    """The pixels inside the mask that are numbers, None if all are; raises CellspanError."""
    if plane.dtype.kind != "f":
        return mask
    values = plane if mask is None else plane[mask]
    if np.isfinite(values).all():
        return mask
    if np.isinf(values).any():
        bad = values.size - int(np.count_nonzero(np.isfinite(values)))
        raise CellspanError(f"{bad} pixels are NaN or infinite; replace them (for example with 0) first.")
    numbers = ~np.isnan(plane) if mask is None else mask & ~np.isnan(plane)
    if not numbers.any():
        where = "" if mask is None else " inside the mask"
        raise CellspanError(f"all pixels{where} are NaN, so there is nothing to look at.")
    return np.asarray(numbers)
