"""Images: reading files and arrays, finding their axes and channels, normalising, resizing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellspan.core.errors import CellspanError, missing_channel
from cellspan.core.files.regular import Source
from cellspan.core.machine.memory import require_memory
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.axes import axes_of_array, checked, meaning_of, several_of, squeezed
from cellspan.core.pictures.resizing import resize_plane

# Bytes for each pixel of a plane, beside those of the file: the network's two channels and the one being normalised.
PLANES = 12
LABELS = 8  # the same for label images, which are renumbered in 32 bits
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, what ImageJ and CellProfiler users expect

CONSTANT = "The image is constant, so there is nothing to find."

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Image:
    """Pixels as they were stored, sorted into channels: (C, Y, X)."""

    channels: NDArray[Any]
    is_rgb: bool = False
    spacing: tuple[float, float] | None = None  # from one pixel to the next along y, x; None if it is not known
    unit: str = ""  # of the spacing, such as "µm"
    main: int = 0  # the channel that is segmented if none is chosen

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.channels.shape[-2:]
        return height, width


def read_image(path: str | Path, series: int | None = None) -> Image:
    """Read a plane; `series` chooses among several images in the file. Raises CellspanError that names the file."""
    from cellspan.core.pictures.opening import open_picture

    with open_picture(Path(path)) as picture:
        return picture.image(series)


def read_labels(path: str | Path, series: int | None = None) -> NDArray[Any]:
    """Read a label image, (Y, X) or (Z, Y, X); raises CellspanError that names the file.

    Whole numbers stay as they are stored; those that ImageJ keeps as 32-bit floats become whole numbers.
    """
    from cellspan.core.pictures.opening import open_picture

    with open_picture(Path(path)) as picture:
        array, _ = picture.pixels(series, LABELS)
        with picture.naming():
            return _whole_numbers(array)


def _whole_numbers(array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim not in (2, 3) or array.dtype.kind not in "biuf":
        raise CellspanError("a label image holds whole numbers in (Y, X) or (Z, Y, X).")
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise CellspanError("a label image holds whole numbers, but this one has NaN or infinities.")
        if (array != np.floor(array)).any():
            raise CellspanError("a label image holds whole numbers, but this one has fractions.")
    low, high = (array.min(), array.max()) if array.size else (0, 0)
    if low < 0:
        raise CellspanError(
            f"a label image holds 0 for the background and numbers above it for objects, but this one has {low:g}: "
            "replace negative numbers with 0."
        )
    if high > np.iinfo(np.int32).max:
        raise CellspanError(f"a label image holds numbers up to 2147483647, but this one has {high:.0f}.")
    return array.astype(np.int32) if array.dtype.kind == "f" else array


def decode_image(source: Source, suffix: str) -> Image:
    """An image from a file's bytes, an open file or a path, whose kind the suffix says (.tif, .png, ...).

    An open file and a path need less memory than bytes. Raises CellspanError, in a sentence without the file's name.
    """
    from cellspan.core.pictures.opening import open_content

    try:
        with open_content(source, suffix) as picture:
            return picture.image()
    except OSError as error:
        raise CellspanError(f"the file cannot be read ({error.strerror or error}).") from None


def image_from_array(array: ArrayLike, axes: str | None = None) -> Image:
    """Sort an array into channels.

    `axes` names each axis in tifffile's letters (Y, X, C, S for RGB samples, Z, T). Without it, (Y, X) is one
    channel, (Y, X, 3 or 4) is RGB, and (C, Y, X) with few planes is channels. Raises CellspanError.
    """
    pixels = np.asarray(array)
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8)
    if pixels.dtype.kind not in "uif":
        raise CellspanError(f"pixels of type {pixels.dtype} are not supported; use 8, 16 or 32 bit or float.")
    if pixels.size == 0:
        raise CellspanError(f"the image has no pixels (shape {pixels.shape}).")
    letters = checked(axes or axes_of_array(pixels.shape) or _refused(pixels.shape), pixels.shape)
    letters = meaning_of(letters, pixels.shape)
    require_channels(letters, pixels.shape)
    return _sorted_channels(*squeezed(pixels, letters))


def _refused(shape: tuple[int, ...]) -> NoReturn:
    raise CellspanError(f"an image has 2 axes (Y, X) or 3 with channels, not the shape {shape}.")


def require_channels(axes: str, shape: Sequence[int]) -> None:
    """Refuse what is more than one plane with its channels; raises CellspanError."""
    long = [(letter, length) for letter, length in zip(axes, shape, strict=True) if length > 1 or letter in "YX"]
    extra = [letter for letter, _ in long if letter not in "YX"]
    if len(extra) > 1 or (extra and extra[0] not in "CS"):
        found = several_of("".join(letter for letter, _ in long), [length for _, length in long])
        raise CellspanError(
            f"the file holds {found} where one plane is needed: save its planes as files of their own, or segment a "
            "z-stack as a volume (do_3d or stitch_threshold; --do-3d or --stitch-threshold 0.25)."
        )


def _sorted_channels(pixels: NDArray[Any], letters: str) -> Image:
    extra = letters.replace("Y", "").replace("X", "")
    rows = [letters.index(letter) for letter in "YX"]
    if not extra:
        return Image(np.ascontiguousarray(pixels.transpose(rows)[None]))
    position = letters.index(extra)
    count = pixels.shape[position]
    planes = pixels.transpose(position, *rows)
    is_rgb = extra == "S" and count in (3, 4)
    if extra == "S" and count in (2, 4):
        planes = planes[:-1]  # transparency is no signal
    return Image(np.ascontiguousarray(planes), is_rgb)


def network_input(image: Image, parameters: Parameters) -> tuple[Floats, list[str]]:
    """The network's two channels (2, Y, X), normalised: what to segment, and nuclei or zeros; and notes for people.

    NaN, where a mask or ROI was cut out, is background. Raises CellspanError for a missing channel and for pixels that
    are not numbers.
    """
    _require_planes(image, parameters)
    main, notes = _main_channel(image, parameters.channel)
    planes = np.zeros((2, *image.shape), np.float32)
    planes[0], constant = normalise(main, parameters)
    cut_out = nan_note(_count_nan(main), main.size)
    if constant:
        notes.append(CONSTANT)
    if parameters.nuclei_channel is not None:
        nuclei = _channel(image, parameters.nuclei_channel, "nuclei_channel")
        planes[1], _ = normalise(nuclei, parameters)
        cut_out = cut_out or nan_note(_count_nan(nuclei), nuclei.size)
    if not np.isfinite(planes).all():
        raise CellspanError("the intensities are too large for 32-bit numbers; divide them first.")
    return planes, notes + cut_out


def nan_note(count: int, of: int, what: str = "pixels") -> list[str]:
    """The note that so many pixels are NaN; none if there are none."""
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


def _main_channel(image: Image, channel: int | None) -> tuple[NDArray[Any], list[str]]:
    if channel is not None:
        return _channel(image, channel, "channel"), []
    if image.is_rgb:
        return np.tensordot(LUMINANCE, image.channels.astype(np.float32), axes=1), []
    return image.channels[image.main], first_of_several(len(image.channels), image.main)


def _channel(image: Image, index: int, option: str) -> NDArray[Any]:
    check_channel(len(image.channels), index, option)
    result: NDArray[Any] = image.channels[index]
    return result


def first_of_several(count: int, main: int = 0) -> list[str]:
    """The note that one channel was taken although there are others."""
    if count < 2:
        return []
    return [f"The image has {count} channels; channel {main} is segmented (choose with channel)."]


def check_channel(count: int, index: int, option: str) -> None:
    """Refuse a channel that an image with `count` of them lacks; raises CellspanError."""
    if index >= count:
        raise missing_channel(option, index, count)


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


def resize(planes: Floats, shape: tuple[int, int]) -> Floats:
    """(C, Y, X) to a new height and width; averages when it shrinks, so that noise does not alias."""
    if planes.shape[1:] == shape:
        return planes
    height, width = shape
    shrinks = height < planes.shape[1] or width < planes.shape[2]
    result = np.zeros((len(planes), height, width), np.float32)
    for plane, resized in zip(planes, result, strict=True):
        if plane.any():  # an empty channel stays one that takes no memory
            resize_plane(plane, resized, averaging=shrinks)
    return result
