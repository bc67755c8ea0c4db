"""A file becomes an image, a volume or labels in one call, for those who need no more of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.files.regular import Source
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.inputs import TIFF_SUFFIXES
from cellspan.core.pictures.opening import open_content, open_picture
from cellspan.core.pictures.planes import naming
from cellspan.core.pictures.seg_npy import is_seg, read_seg
from cellspan.core.pictures.volume import Volume

LABELS = 8  # the same for label images, which are renumbered in 32 bits


def read_image(path: str | Path, series: int | None = None) -> Image:
    """Read a plane; `series` chooses among several images in the file. Raises CellspanError that names the file."""
    with open_picture(Path(path)) as picture:
        return picture.image(series)


def read_labels(path: str | Path, series: int | None = None) -> NDArray[Any]:
    """Read a label image, or the masks in Cellpose's `_seg.npy`: (Y, X) or (Z, Y, X).

    Whole numbers stay as they are stored; those that ImageJ keeps as 32-bit floats become whole numbers. Raises
    CellspanError that names the file.
    """
    path = Path(path)
    if is_seg(path):
        masks = read_seg(path).masks
        with naming(path):
            return _whole_numbers(masks)
    with open_picture(path) as picture:
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
    try:
        with open_content(source, suffix) as picture:
            return picture.image()
    except OSError as error:
        raise CellspanError(f"the file cannot be read ({error.strerror or error}).") from None


def read_volume(path: str | Path, series: int | None = None) -> Volume:
    """Open a volume; voxels are read when they are needed, until it is closed. CellspanError names the file."""
    picture = open_picture(Path(path))
    try:
        return picture.volume(series)
    except BaseException:
        picture.close()
        raise


def decode_volume(source: Source, suffix: str = ".tif") -> Volume:
    """A volume from a TIFF file's bytes, an open file or a path, read whole, so that the file may go away then.

    An open file and a path need less memory than bytes. Raises CellspanError, in a sentence without the file's name.
    """
    if suffix.lower() not in TIFF_SUFFIXES:
        raise CellspanError(f"volumes are read from TIFF, not from '{suffix}'.")
    try:
        with open_content(source, suffix) as picture:
            return picture.volume(is_lazy=False)
    except OSError as error:
        raise CellspanError(f"the file cannot be read ({error.strerror or error}).") from None
