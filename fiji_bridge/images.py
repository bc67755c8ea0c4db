"""Images: numpy arrays to ImageJ's ImagePlus and back, pixel for pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import as_labels
from cellspan.core.pictures.axes import in_order
from cellspan.fiji_bridge.axes import array_and_axes
from cellspan.fiji_bridge.gateway import java_class

# How numpy and Java hold the same bits: numpy type -> (signed numpy type, Java type, ImageJ's processor)
_KINDS = {
    np.dtype(np.uint8): ("i1", "JByte", "ij.process.ByteProcessor"),
    np.dtype(np.uint16): ("i2", "JShort", "ij.process.ShortProcessor"),
    np.dtype(np.float32): ("f4", "JFloat", "ij.process.FloatProcessor"),
}
_UNSIGNED = {"b": np.uint8, "h": np.uint16, "f": np.float32, "i": np.uint32}
LABEL_AXES = {2: "YX", 3: "ZYX", 4: "TZYX"}  # by the number of axes
_LARGEST_SHORT = 65_535
_LARGEST_FLOAT = 2**24  # beyond it, float32 skips whole numbers


def image_to_imagej(pixels: Any, title: str = "image", axes: str | None = None) -> Any:
    """An ImagePlus with these pixels: 8 or 16 bit without sign, 32 bit float, or RGB; stacks become hyperstacks.

    `pixels` is an array of numpy, or of xarray with axes named as pyimagej does (t, pln, row, col, ch). `axes` says
    what the axes are, in any order of T, Z, C, Y, X, or S for RGB; without it, 8-bit pixels with a last axis of 3 are
    RGB; other arrays with three axes are a few channels or many slices.
    Raises CellspanError for other types and shapes, because a conversion would change values.
    """
    array, axes = array_and_axes(pixels, axes)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)  # TIFF files may hold the other byte order
    if array.dtype not in _KINDS or array.size == 0:
        raise CellspanError(
            f"ImageJ cannot hold an array of type {array.dtype} and shape {array.shape}: "
            "give pixels as uint8, uint16 or float32, or RGB as uint8."
        )
    return _stack(*in_order(array, axes), title)


def image_from_imagej(image: Any) -> NDArray[Any]:
    """The pixels of an ImagePlus in its own type: (Y, X), before it several frames, slices or channels.

    These axes are in the order T, Z, C; RGB has its colours as the last axis. `axes_of` names the axes.
    """
    stack, shape = image.getStack(), (image.getHeight(), image.getWidth())
    planes = np.stack([_plane(stack.getPixels(index + 1), shape) for index in range(stack.getSize())])
    if planes.dtype == np.uint32:
        planes = _colours(planes)
    return planes.reshape(*(count for _, count in _counts(image) if count > 1), *planes.shape[1:])


def axes_of(image: Any) -> str:
    """The letters of the axes that `image_from_imagej` gives an ImagePlus, such as TZCYX."""
    several = "".join(letter for letter, count in _counts(image) if count > 1)
    return several + ("YXS" if image.getType() == image.COLOR_RGB else "YX")


def _counts(image: Any) -> list[tuple[str, int]]:
    """How many frames, slices and channels an ImagePlus has; the channel changes fastest in its stack."""
    return [("T", int(image.getNFrames())), ("Z", int(image.getNSlices())), ("C", int(image.getNChannels()))]


def labels_to_imagej(labels: ArrayLike, title: str = "labels", axes: str | None = None) -> Any:
    """An ImagePlus of a label image: 16 bit if the numbers fit, else 32 bit float. Raises CellspanError.

    Its axes are (Y, X), (Z, Y, X) or (T, Z, Y, X) unless `axes` says otherwise.
    """
    array = np.asarray(labels)
    axes = axes or LABEL_AXES.get(array.ndim, "")
    if not axes or 0 in array.shape:
        raise CellspanError(f"A label image is (Y, X), (Z, Y, X) or (T, Z, Y, X), not of shape {array.shape}.")
    array = as_labels(array.reshape(-1, array.shape[-1])).reshape(array.shape)
    largest = int(array.max(initial=0))
    if largest > _LARGEST_FLOAT:
        raise CellspanError(f"ImageJ cannot hold the label {largest} exactly; number the objects 1, 2, 3, ...")
    image = image_to_imagej(array.astype(np.uint16 if largest <= _LARGEST_SHORT else np.float32), title, axes)
    image.setDisplayRange(0, max(1, largest))
    return image


def _processor(plane: NDArray[Any]) -> Any:
    """ImageJ's holder of one (Y, X) plane."""
    name = _KINDS[plane.dtype][2]
    height, width = plane.shape
    return java_class(name)(width, height, _java_pixels(plane), None)


def _java_pixels(plane: NDArray[Any]) -> Any:
    import jpype

    signed, java_type, _ = _KINDS[plane.dtype]
    return jpype.JArray(getattr(jpype, java_type))(np.ascontiguousarray(plane).view(signed).ravel())


def _colour_processor(colours: NDArray[Any]) -> Any:
    """(Y, X, 3) as ImageJ's RGB: one 32-bit number a pixel."""
    import jpype

    if colours.dtype != np.uint8 or colours.shape[2] != 3:
        raise CellspanError(f"ImageJ's RGB images are uint8 (Y, X, 3), not {colours.dtype} {colours.shape}.")
    height, width = colours.shape[:2]
    red, green, blue = np.moveaxis(colours.astype(np.uint32), 2, 0)
    packed = (0xFF000000 | red << 16 | green << 8 | blue).astype(np.uint32)
    return java_class("ij.process.ColorProcessor")(
        width, height, jpype.JArray(jpype.JInt)(np.ascontiguousarray(packed).view("i4").ravel())
    )


def _stack(array: NDArray[Any], axes: str, title: str) -> Any:
    """An array with axes in the order T, Z, C, Y, X, S as an ImagePlus, a hyperstack if it has several planes."""
    inner = axes.lstrip("TZC")
    if "S" in inner and "C" in axes:
        raise CellspanError(f"The axes '{axes}' are not possible: an ImageJ image has either channels or colours.")
    frames, slices, channels = (array.shape[axes.index(letter)] if letter in axes else 1 for letter in "TZC")
    planes = array.reshape(frames * slices * channels, *array.shape[len(axes) - len(inner) :])
    make = _colour_processor if "S" in inner else _processor
    image_plus = java_class("ij.ImagePlus")
    if len(planes) == 1:
        return image_plus(title, make(planes[0]))
    height, width = planes.shape[1:3]
    stack = java_class("ij.ImageStack")(width, height)
    for plane in planes:
        stack.addSlice(make(plane))
    image = image_plus(title, stack)
    image.setDimensions(channels, slices, frames)
    image.setOpenAsHyperStack(channels > 1 or frames > 1)  # slices alone are a plain stack
    if channels == 1:
        return image
    composite = java_class("ij.CompositeImage")
    return composite(image, composite.GRAYSCALE)  # with a slider for channels, not for slices


def _plane(java_pixels: Any, shape: tuple[int, int]) -> NDArray[Any]:
    """A copy of the pixels, which Java keeps as signed numbers, as unsigned ones."""
    view = memoryview(java_pixels)
    return np.array(view).view(_UNSIGNED[view.format[-1]]).reshape(shape)


def _colours(packed: NDArray[Any]) -> NDArray[Any]:
    return np.stack([packed >> 16, packed >> 8, packed], axis=-1).astype(np.uint8)
