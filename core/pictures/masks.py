"""Masks: where in a picture to look; what lies outside takes no part, and no object lies there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.files.npy import load_npy
from cellspan.core.pictures.images import Image, Mask
from cellspan.core.pictures.opening import decode, open_picture
from cellspan.core.pictures.volume import Volume

NPY_START, PNG_START = b"\x93NUMPY", b"\x89PNG"
Picture = TypeVar("Picture", Image, Volume)


def with_mask(picture: Picture, mask: ArrayLike | None) -> Picture:
    """The picture with a mask (Y, X) or (Z, Y, X): 0 outside, anything else inside, as in a label image.

    A plane (Y, X) serves for every slice of a volume. Raises CellspanError if the mask does not fit, or is empty.
    """
    if mask is None:
        return picture
    inside = _as_mask(np.asarray(mask))
    shape = picture.shape
    if inside.ndim > len(shape) and inside.shape[0] == 1:
        inside = inside[0]
    if inside.shape not in (shape, shape[-2:]):
        raise CellspanError(
            f"the mask has {_in_words(inside.shape)} pixels, but the image {_in_words(shape)}; they must be alike.",
            "mask_size",
        )
    if not inside.any():
        raise CellspanError("the mask is 0 everywhere, so there is nothing to look at.", "empty_mask")
    if inside.all():
        return replace(picture, mask=None)
    return replace(picture, mask=np.broadcast_to(inside, shape))


def read_mask(path: Path) -> Mask:
    """The mask in a file, (Y, X) or (Z, Y, X); raises CellspanError that names the file."""
    with open_picture(path) as picture:
        pixels, _ = picture.pixels(None, 1)
        with picture.naming():
            return _as_mask(np.asarray(pixels))


def decode_mask(content: bytes) -> Mask:
    """The mask in the bytes of a .npy, TIFF or PNG file; raises CellspanError in a sentence without a name."""
    if content.startswith(NPY_START):
        return _as_mask(load_npy(content))
    suffix = ".png" if content.startswith(PNG_START) else ".tif"
    try:
        return _as_mask(decode(content, suffix)[0])
    except CellspanError as error:
        raise CellspanError(f"the mask cannot be used: {error}", error.code) from None


def _as_mask(pixels: NDArray[Any]) -> Mask:
    if pixels.ndim not in (2, 3) or pixels.dtype.kind not in "biuf":
        raise CellspanError(
            f"a mask has one number for each pixel, (Y, X) or (Z, Y, X), 0 outside; this one has the shape "
            f"{pixels.shape}: save it as a grey image.",
            "mask_size",
        )
    if pixels.dtype.kind == "f" and np.isnan(pixels).any():
        raise CellspanError("a mask is 0 outside and any other number inside, but this one has NaN.")
    return np.asarray(pixels != 0)


def _in_words(shape: tuple[int, ...]) -> str:
    """Width first, as people say it."""
    return " x ".join(str(length) for length in reversed(shape))
