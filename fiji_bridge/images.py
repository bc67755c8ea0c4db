"""Pictures: numpy arrays to ImageJ's ImagePlus and back, pixel for pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.labels import as_labels
from cellspan.fiji_bridge.gateway import java_class

# How numpy and Java hold the same bits: numpy type -> (signed numpy type, Java type, ImageJ's processor)
_KINDS = {
    np.dtype(np.uint8): ("i1", "JByte", "ij.process.ByteProcessor"),
    np.dtype(np.uint16): ("i2", "JShort", "ij.process.ShortProcessor"),
    np.dtype(np.float32): ("f4", "JFloat", "ij.process.FloatProcessor"),
}
_UNSIGNED = {"b": np.uint8, "h": np.uint16, "f": np.float32, "i": np.uint32}
_LARGEST_SHORT = 65_535
_LARGEST_FLOAT = 2**24  # beyond it, float32 skips whole numbers


def image_to_imagej(pixels: ArrayLike, title: str = "image", axes: str | None = None) -> Any:
    """An ImagePlus with these pixels: 8 or 16 bit without sign, 32 bit float, or RGB.

    `axes` is "YX", "CYX" (channels) or "YXS" (RGB); without it, 8-bit pixels with a last axis of 3 are RGB.
    Raises CellspanError for other types and shapes, because a conversion would change values.
    """
    array = np.asarray(pixels)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)  # TIFF files may hold the other byte order
    axes = (axes or _guess_axes(array)).upper()
    if array.dtype not in _KINDS or array.ndim != len(axes) or array.size == 0:
        raise CellspanError(
            f"ImageJ has no image for an array of type {array.dtype} and shape {array.shape}: "
            "give (Y, X) or (C, Y, X) as uint8, uint16 or float32, or (Y, X, 3) as uint8."
        )
    image_plus = java_class("ij.ImagePlus")
    if axes == "YX":
        return image_plus(title, _processor(array))
    if axes == "YXS":
        return image_plus(title, _colour_processor(array))
    if axes == "CYX":
        return _channels(array, title)
    raise CellspanError(f"The axes '{axes}' are not supported: use YX, CYX or YXS.")


def image_from_imagej(image: Any) -> NDArray[Any]:
    """The pixels of an ImagePlus: (Y, X), (C, Y, X) with 2 or more channels, or (Y, X, 3) for RGB, in its own type.

    Raises CellspanError for stacks of slices or frames.
    """
    if image.getNSlices() > 1 or image.getNFrames() > 1:
        raise CellspanError(
            f"{image.getTitle()}: the image has {image.getNSlices()} slices and {image.getNFrames()} frames; "
            "stacks are not supported yet, so duplicate single planes."
        )
    stack, shape = image.getStack(), (image.getHeight(), image.getWidth())
    planes = [_plane(stack.getPixels(index + 1), shape) for index in range(stack.getSize())]
    if planes[0].dtype == np.uint32:
        return _colours(planes[0])
    return planes[0] if len(planes) == 1 else np.stack(planes)


def axes_of(pixels: NDArray[Any], image: Any) -> str:
    """The letters of the axes that `image_from_imagej` gave `image`."""
    if image.getType() == image.COLOR_RGB:
        return "YXS"
    return "YX" if pixels.ndim == 2 else "CYX"


def labels_to_imagej(labels: ArrayLike, title: str = "labels") -> Any:
    """An ImagePlus of a (Y, X) label image: 16 bit if the numbers fit, else 32 bit float. Raises CellspanError."""
    array = as_labels(labels)
    largest = int(array.max(initial=0))
    if largest > _LARGEST_FLOAT:
        raise CellspanError(f"ImageJ cannot hold the label {largest} exactly; number the objects 1, 2, 3, ...")
    image = image_to_imagej(array.astype(np.uint16 if largest <= _LARGEST_SHORT else np.float32), title, "YX")
    image.setDisplayRange(0, max(1, largest))
    return image


def _guess_axes(array: NDArray[Any]) -> str:
    if array.ndim == 3:
        return "YXS" if array.dtype == np.uint8 and array.shape[2] == 3 else "CYX"
    return "YX"


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


def _channels(array: NDArray[Any], title: str) -> Any:
    """(C, Y, X) as an image of C channels, one slice and one frame."""
    count, height, width = array.shape
    stack = java_class("ij.ImageStack")(width, height)
    for plane in array:
        stack.addSlice(_processor(plane))
    image = java_class("ij.ImagePlus")(title, stack)
    image.setDimensions(count, 1, 1)
    if count == 1:
        return image
    composite = java_class("ij.CompositeImage")
    return composite(image, composite.GRAYSCALE)  # with a slider for channels, not for slices


def _plane(java_pixels: Any, shape: tuple[int, int]) -> NDArray[Any]:
    """A copy of Java's pixels, with the sign that Java lacks taken away."""
    view = memoryview(java_pixels)
    return np.array(view).view(_UNSIGNED[view.format[-1]]).reshape(shape)


def _colours(packed: NDArray[Any]) -> NDArray[Any]:
    return np.stack([packed >> 16, packed >> 8, packed], axis=-1).astype(np.uint8)
