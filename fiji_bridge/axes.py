"""Names the axes of images from numpy, xarray and ImageJ2, and finds the distances between their voxels.

Letters are tifffile's: T frames, Z slices, C channels, Y rows, X columns, S colours of RGB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.axes import ORDER, axes_of_array, axes_of_names, in_order, letter_of, stacked_planes
from cellspan.core.pictures.images import Image, image_from_array
from cellspan.core.pictures.volume import Spacing, Volume, volume_from_array
from cellspan.fiji_bridge.gateway import pyimagej_gateway


@dataclass(frozen=True)
class Plane:
    """One (Y, X) plane of a stack with all its channels, and its slice and frame, counted from 0."""

    image: Image
    z: int
    t: int


def is_image_plus(image: Any) -> bool:
    """Whether it is an ImagePlus of ImageJ."""
    return hasattr(image, "getStack") and hasattr(image, "getNChannels")


def is_xarray(image: Any) -> bool:
    """Whether it is an array whose axes have names, as pyimagej makes them."""
    return hasattr(image, "dims") and hasattr(image, "values")


def is_dataset(image: Any) -> bool:
    """Whether it is a Dataset of ImageJ2."""
    return hasattr(image, "getImgPlus")


def array_and_axes(image: Any, axes: str | None = None, is_volume: bool = False) -> tuple[NDArray[Any], str]:
    """Pixels and the letters of their axes, from numpy, xarray or a Dataset; `axes` overrides theirs.

    For an array of numpy without `axes`, see `core.pictures.axes.axes_of_array`. Raises CellspanError.
    """
    if is_dataset(image):
        colours = bool(image.isRGBMerged())
        array, own = array_and_axes(_xarray_of(image))
        return array, axes or (own.replace("C", "S") if colours else own)
    array = np.asarray(image.values if is_xarray(image) else image)
    letters = axes or (axes_of_names(image.dims) if is_xarray(image) else _guess(array, is_volume))
    letters = letters.upper()
    wrong = len(letters) != array.ndim or len(set(letters)) != len(letters) or set(letters) - set(ORDER)
    if wrong or not {"Y", "X"} <= set(letters):
        raise CellspanError(
            f"The axes '{letters}' do not describe an image of shape {array.shape}: "
            f"name each axis once with a letter of {ORDER}, among them Y and X."
        )
    return array, letters


def planes_of(array: NDArray[Any], axes: str) -> tuple[list[Plane], str]:
    """Every (Y, X) plane, frame by frame, and the letters of the axes that stack them: "", "Z", "T" or "TZ"."""
    array, axes = in_order(array, axes)
    stacked = "".join(letter for letter in "TZ" if letter in axes and array.shape[axes.index(letter)] > 1)
    return list(_planes(array, axes)), stacked


def _planes(array: NDArray[Any], axes: str) -> Iterator[Plane]:
    pixels, inner = stacked_planes(array, axes)
    for t in range(pixels.shape[0]):
        for z in range(pixels.shape[1]):
            yield Plane(image_from_array(pixels[t, z], inner), z, t)


def volumes_of(array: NDArray[Any], axes: str, spacing: Spacing | None = None) -> list[Volume]:
    """The z-stack of every frame; raises CellspanError if there are no slices."""
    array, axes = in_order(array, axes)
    if "Z" not in axes:
        raise CellspanError(
            f"do_3d and stitch_threshold need a z-stack, but the axes '{axes}' have no slices (Z); "
            "in ImageJ, correct the dimensions in Image > Properties."
        )
    frames = array if "T" in axes else array[None]
    return [volume_from_array(frame, axes.lstrip("T"), spacing) for frame in frames]


def spacing_of(image: Any) -> Spacing | None:
    """Distances between voxels along z, y, x, from calibration or the coordinates of xarray; None if unknown."""
    if is_image_plus(image):
        scale = image.getCalibration()
        z, y, x = (float(size) for size in (scale.pixelDepth, scale.pixelHeight, scale.pixelWidth))
    else:
        named = _xarray_of(image) if is_dataset(image) else image
        z, y, x = (_step(named, letter) if is_xarray(named) else 0.0 for letter in "ZYX")
    return (z, y, x) if all(np.isfinite(size) and size > 0 for size in (z, y, x)) else None


def _step(image: Any, letter: str) -> float:
    """From one coordinate to the next along an axis of xarray; 0 if it has none."""
    names = [name for name in image.dims if letter_of(name) == letter]
    if not names or names[0] not in image.coords or image.sizes[names[0]] < 2:
        return 0.0
    first, second = np.asarray(image.coords[names[0]].values)[:2]
    return abs(float(second - first))


def _guess(array: NDArray[Any], is_volume: bool) -> str:
    letters = axes_of_array(array.shape, is_volume)
    if not letters:
        raise CellspanError(
            f"The axes of an array of shape {array.shape} are ambiguous: give them, such as axes='ZYX' or axes='TZCYX'."
        )
    return letters


def _xarray_of(dataset: Any) -> Any:
    """pyimagej's view of a Dataset."""
    gateway = pyimagej_gateway()
    if gateway is None:
        raise CellspanError("A Dataset of ImageJ2 needs pyimagej: connect to a Fiji first, or give an ImagePlus.")
    return gateway.py.from_java(dataset)
