"""Images: one plane with its channels, sorted by what its axes are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.axes import axes_of_array, checked, meaning_of, several_of, squeezed

# Bytes for each pixel of a plane, beside those of the file: the network's two channels and the one being normalised.
PLANES = 12

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Image:
    """Pixels as they were stored, sorted into channels: (C, Y, X)."""

    channels: NDArray[Any]
    is_rgb: bool = False
    spacing: tuple[float, float] | None = None  # from one pixel to the next along y, x; None if it is not known
    unit: str = ""  # of the spacing, such as "µm"
    main: int = 0  # the channel that is segmented if none is chosen
    mask: Mask | None = None  # (Y, X): where to look; None = everywhere

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.channels.shape[-2:]
        return height, width


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
            "z-stack as a volume (do_3d or stitch_threshold; --do-3d or --stitch-threshold 0.25).",
            "several_planes",
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
