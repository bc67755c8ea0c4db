"""Images: reading files and arrays, finding their axes and channels, normalising, resizing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellspan.core.errors import CellspanError, missing_channel
from cellspan.core.files.regular import Source, exists, is_folder
from cellspan.core.machine.memory import require_memory
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.decoding import decode
from cellspan.core.pictures.inputs import IMAGE_SUFFIXES, is_zarr
from cellspan.core.pictures.resizing import resize_plane

MAX_CHANNELS = 8  # an unnamed axis with more planes than this is a stack, not channels
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

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.channels.shape[-2:]
        return height, width


def read_image(path: str | Path) -> Image:
    """Read a TIFF, PNG, JPEG or BMP file; raises CellspanError that names the file."""
    path = Path(path)
    array, axes = _read(path, PLANES)
    try:
        return image_from_array(array, axes)
    except CellspanError as error:
        raise CellspanError(f"{path}: {error}") from None


def read_labels(path: str | Path) -> NDArray[Any]:
    """Read a label image as it was stored; raises CellspanError that names the file."""
    array, _ = _read(Path(path), LABELS)
    if array.ndim not in (2, 3) or array.dtype.kind not in "biu":
        raise CellspanError(f"{path}: a label image holds whole numbers in (Y, X) or (Z, Y, X).")
    return array


def decode_image(source: Source, suffix: str) -> Image:
    """An image from a file's bytes, an open file or a path, whose kind the suffix says (.tif, .png, ...).

    An open file and a path need less memory than bytes. Raises CellspanError, in a sentence without the file's name.
    """
    try:
        return image_from_array(*decode(source, suffix, PLANES))
    except OSError as error:
        raise CellspanError(f"the file cannot be read ({error.strerror or error}).") from None


def _read(path: Path, per_pixel: int) -> tuple[NDArray[Any], str | None]:
    """Pixels and, where the file tells them, axes."""
    if is_zarr(path):
        raise CellspanError(f"{path}: OME-Zarr is read as a volume: choose --do-3d or --stitch-threshold 0.25.")
    if is_folder(path):
        raise CellspanError(f"{path}: no images were found in this folder.")
    if not exists(path):
        raise CellspanError(f"{path}: there is no such file or folder.")
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        known = ", ".join(sorted(IMAGE_SUFFIXES))
        raise CellspanError(f"{path}: '{path.suffix}' is not an image type that cellspan reads ({known}).")
    try:
        return decode(path, path.suffix, per_pixel)
    except OSError as error:
        raise CellspanError(f"{path}: the file cannot be read ({error.strerror or error}).") from None
    except CellspanError as error:
        raise CellspanError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None


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
    letters = list(axes.upper() if axes else _guess_axes(pixels.shape))
    if len(letters) != pixels.ndim or letters.count("Y") != 1 or letters.count("X") != 1:
        raise CellspanError(f"the axes '{axes}' do not describe an image of shape {pixels.shape}.")
    squeezed = [axis for axis, letter in enumerate(letters) if letter in "YX" or pixels.shape[axis] > 1]
    pixels = pixels.reshape([pixels.shape[axis] for axis in squeezed])
    letters = [letters[axis] for axis in squeezed]
    return _sorted_channels(pixels, letters)


def _guess_axes(shape: tuple[int, ...]) -> str:
    if len(shape) == 2:
        return "YX"
    if len(shape) == 3 and shape[-1] in (3, 4) and shape[0] > 4:
        return "YXS"
    if len(shape) == 3 and shape[0] <= MAX_CHANNELS:
        return "CYX"
    if len(shape) == 3 and shape[-1] <= MAX_CHANNELS:
        return "YXC"
    if len(shape) == 3:
        return "ZYX"
    raise CellspanError(f"an image has 2 axes (Y, X) or 3 with channels, not the shape {shape}.")


def _sorted_channels(pixels: NDArray[Any], letters: list[str]) -> Image:
    extra = [letter for letter in letters if letter not in "YX"]
    if not extra:
        return Image(np.ascontiguousarray(pixels[None]))
    position = letters.index(extra[0])
    count = pixels.shape[position]
    if len(extra) > 1 or extra[0] in "ZT" or (extra[0] not in "CS" and count > MAX_CHANNELS):
        names = {"Z": "z-slices", "T": "time points", "C": "channels", "S": "colours"}
        found = " and ".join(f"{pixels.shape[letters.index(e)]} {names.get(e, 'planes')}" for e in extra)
        raise CellspanError(
            f"the file holds {found} where one plane is needed: save its planes as files of their own, or segment a "
            "z-stack as a volume (do_3d or stitch_threshold; --do-3d or --stitch-threshold 0.25)."
        )
    planes = np.moveaxis(pixels, position, 0)
    is_rgb = extra[0] == "S" and count in (3, 4)
    if extra[0] == "S" and count in (2, 4):
        planes = planes[:-1]  # transparency is no signal
    return Image(np.ascontiguousarray(planes), is_rgb)


def network_input(image: Image, parameters: Parameters) -> tuple[Floats, list[str]]:
    """The network's two channels (2, Y, X), normalised: what to segment, and nuclei or zeros; and notes for people.

    Raises CellspanError for a missing channel and for pixels that are not numbers.
    """
    _require_planes(image, parameters)
    main, notes = _main_channel(image, parameters.channel)
    planes = np.zeros((2, *image.shape), np.float32)
    planes[0], constant = normalise(main, parameters)
    if constant:
        notes.append(CONSTANT)
    if parameters.nuclei_channel is not None:
        planes[1], _ = normalise(_channel(image, parameters.nuclei_channel, "nuclei_channel"), parameters)
    if not np.isfinite(planes).all():
        raise CellspanError("the intensities are too large for 32-bit numbers; divide them first.")
    return planes, notes


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
    return image.channels[0], first_of_several(len(image.channels))


def _channel(image: Image, index: int, option: str) -> NDArray[Any]:
    check_channel(len(image.channels), index, option)
    result: NDArray[Any] = image.channels[index]
    return result


def first_of_several(count: int) -> list[str]:
    """The note that channel 0 was taken although there are others."""
    return [f"The image has {count} channels; channel 0 is segmented (choose with channel)."] if count > 1 else []


def check_channel(count: int, index: int, option: str) -> None:
    """Refuse a channel that an image with `count` of them lacks; raises CellspanError."""
    if index >= count:
        raise missing_channel(option, index, count)


def normalise(plane: NDArray[Any], parameters: Parameters) -> tuple[Floats, bool]:
    """Map the plane's percentiles to 0 and 1, invert if asked; the flag says whether the plane is constant."""
    if plane.dtype.kind == "f" and not np.isfinite(plane).all():
        bad = plane.size - int(np.count_nonzero(np.isfinite(plane)))
        raise CellspanError(f"{bad} pixels are NaN or infinite; replace them (for example with 0) first.")
    constant = bool(plane.min() == plane.max())
    if parameters.normalize is None:
        with np.errstate(over="ignore"):  # infinities are refused by the caller
            scaled = plane.astype(np.float32)
    elif constant:
        return np.zeros(plane.shape, np.float32), True
    else:
        low, high = (float(value) for value in np.percentile(plane, parameters.normalize))
        if low == high:  # a few bright pixels on a flat background, or the reverse
            low, high = float(plane.min()), float(plane.max())
        scaled = np.empty(plane.shape, np.float32)
        for source, target in zip(plane, scaled, strict=True):  # row by row, to need no second image in memory
            # In float64, because 32-bit integers do not fit float32.
            target[:] = (source.astype(np.float64) - low) / (high - low)
    return (1 - scaled if parameters.invert else scaled), constant


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
