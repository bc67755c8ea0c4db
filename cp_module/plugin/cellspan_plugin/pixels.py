"""Converts CellProfiler's intensities back to the file's pixel values, so that labels match the other programs."""

from __future__ import annotations

from typing import Any

import numpy as np

LUMINANCE = (0.299, 0.587, 0.114)  # weights of red, green and blue, as in the engine
LARGEST = 65535  # largest integer to look for
SAMPLE = 1000  # pixels
COMMON_SCALES = (255, 4095, 65535)  # CellProfiler divides 8-, 12- and 16-bit pixels by these


def engine_pixels(pixels: Any, scale: float | None = None) -> np.ndarray:
    """The image in the form that the engine takes: (Y, X), (Y, X, 3) for colour, (C, Y, X) for other channel counts.

    CellProfiler divides the integers of a file by `scale` (its `image.scale`). They are restored as uint8 or uint16 if
    that is certain; images computed in the pipeline are sent as float32.
    """
    array = np.asarray(pixels)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 3 and array.shape[2] != 3:
        array = np.moveaxis(array, 2, 0)
    return np.ascontiguousarray(file_integers(array, scale))


def engine_volume(pixels: Any, scale: float | None = None) -> np.ndarray:
    """A 3D image as (Z, Y, X), colour as luminance; raises ValueError for other channels."""
    array = np.asarray(pixels)
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    integers = file_integers(array, scale)
    return np.ascontiguousarray(_luminance(integers) if integers.ndim == 4 else integers)


def volumes_as_channels(*volumes: np.ndarray) -> np.ndarray:
    """Two or more volumes of the same size as (Z, C, Y, X)."""
    return np.stack(_of_one_type(*volumes), axis=1)


def as_channels(*images: np.ndarray) -> np.ndarray:
    """Two or more images of the same size as (C, Y, X); colour as luminance."""
    return np.stack(_of_one_type(*(_luminance(image) if image.ndim == 3 else image for image in images)))


def with_values_outside(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The same image, with the lowest value inside the mask wherever it is NaN or infinite outside."""
    if pixels.dtype.kind != "f" or mask.all():
        return pixels
    inside = mask if mask.ndim == pixels.ndim else np.broadcast_to(mask[..., None], pixels.shape)
    undefined = ~inside & ~np.isfinite(pixels)
    if not undefined.any():
        return pixels
    defined = pixels[inside & np.isfinite(pixels)]
    return np.where(undefined, defined.min() if defined.size else 0, pixels).astype(pixels.dtype)


def factor_of(pixels: np.ndarray, scale: float | None = None) -> float:
    """How many of the grey values that the engine gets are an intensity of 1 in CellProfiler's image."""
    integers = file_integers(pixels, scale)
    brightest = float(pixels.max(initial=0))
    if integers.dtype.kind == "f" or pixels.dtype.kind != "f" or brightest <= 0:
        return 1.0
    return float(round(float(integers.max()) / brightest))


def _of_one_type(*arrays: np.ndarray) -> list[np.ndarray]:
    if len({array.dtype for array in arrays}) == 1:
        return list(arrays)
    return [array.astype(np.float32) for array in arrays]


def _luminance(colour: np.ndarray) -> np.ndarray:
    if colour.shape[-1] != 3:
        raise ValueError("The image has several channels that are not colours; select a single channel.")
    return (colour.astype(np.float32) @ np.array(LUMINANCE, np.float32)).astype(np.float32)


def file_integers(pixels: np.ndarray, scale: float | None = None) -> np.ndarray:
    """Intensities -> the integers in the file, or float32 if the file had none."""
    if pixels.dtype == bool:
        return pixels.astype(np.uint8)
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels
    for candidate in _candidates(scale):
        integers = _integers_at(pixels, candidate)
        if integers is not None:
            return integers
    return pixels.astype(np.float32)


def _candidates(scale: float | None) -> tuple[float, ...]:
    """The scales to try, the image's own first; a float file has scale 1 and no integers."""
    if scale == 1:
        return ()
    own = (scale,) if scale is not None and np.isfinite(scale) and scale > 1 else ()
    return own + tuple(common for common in COMMON_SCALES if common != scale)


def _integers_at(pixels: np.ndarray, scale: float) -> np.ndarray | None:
    """The integers if every pixel is one of them divided by `scale`, to the last bit of a float32; else None."""
    if pixels.size > 4 * SAMPLE and _integers_at(pixels.flat[:: pixels.size // SAMPLE], scale) is None:
        return None  # a sample of pixels is enough to reject computed images
    values = pixels.astype(np.float32, copy=False)
    highest = float(values.max(initial=0))
    if not (values.min(initial=0) >= 0 and highest * scale < LARGEST + 0.5):  # True for NaN as well
        return None
    integers = (values * np.float32(scale) + np.float32(0.5)).astype(np.uint16)
    exact = (np.arange(LARGEST + 1) / scale).astype(np.float32)[integers]
    if not np.array_equal(exact, values) and np.any(np.abs(exact - values) > np.spacing(values)):
        return None
    return integers.astype(np.uint8) if scale <= 255 and highest * scale < 255.5 else integers
