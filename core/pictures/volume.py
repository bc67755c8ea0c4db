"""A z-stack with its channels and the size of its voxels, read lazily so that it may be larger than the memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.axes import axes_of_array, checked, meaning_of
from cellspan.core.pictures.channels import LUMINANCE
from cellspan.core.pictures.images import Mask

Spacing = tuple[float, float, float]  # from one voxel to the next along z, y, x
STACKS = "ZT"  # letters of axes that can be a stack
COLOURS = "CS"


@dataclass(frozen=True)
class Volume:
    """Channels (C, Z, Y, X) as an array or a dask array, and what the file says of its voxels."""

    channels: Any
    spacing: Spacing | None = None
    unit: str = ""
    is_rgb: bool = False
    main: int = 0  # the channel that is segmented if none is chosen
    closing: Callable[[], None] | None = field(default=None, repr=False, compare=False)  # what closes its files
    mask: Mask | None = None  # (Z, Y, X): where to look; None = everywhere

    def close(self) -> None:
        """Close the files that it is read from; what was read stays."""
        if self.closing is not None:
            self.closing()

    def __enter__(self) -> Volume:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close its files."""
        self.close()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, height, width."""
        depth, height, width = self.channels.shape[1:]
        return depth, height, width

    @property
    def anisotropy(self) -> float | None:
        """z step divided by the pixel size; None if it is not known."""
        return None if self.spacing is None else self.spacing[0] / self.spacing[2]

    def shown(self, chosen: tuple[int, ...] | None = None, combine: str = "mean") -> Any:
        """What is segmented, (Z, Y, X) as an array or a dask array; the luminance of RGB; 0 for NaN.

        Several chosen channels become one by `combine`; none = not chosen.
        """
        if not chosen and self.is_rgb:
            return sum(float(weight) * self.channels[k] for k, weight in enumerate(LUMINANCE))
        stacks = [self._numbers(channel) for channel in chosen or (self.main,)]
        if len(stacks) == 1:
            return stacks[0]
        if combine == "maximum":
            return reduce(np.maximum, stacks)
        return sum(stack / len(stacks) for stack in stacks)

    def _numbers(self, channel: int) -> Any:
        if self.channels.dtype.kind == "f":
            return np.nan_to_num(self.channels[channel], posinf=0, neginf=0)
        return self.channels[channel]

    def block(self, channel: int, z: slice, y: slice, x: slice) -> NDArray[Any]:
        """A part of one channel, read now."""
        return np.asarray(self.channels[channel, z, y, x])


def volume_from_array(array: ArrayLike, axes: str | None = None, spacing: Spacing | None = None) -> Volume:
    """Sort an array, or a dask array, into a volume.

    `axes` names each axis in tifffile's letters. Without it, (Z, Y, X) is one channel, and (Z, C, Y, X) has several.
    Raises CellspanError.
    """
    pixels: Any = array if hasattr(array, "dask") else np.asarray(array)
    if pixels.dtype.kind not in "buif":
        raise CellspanError(f"pixels of type {pixels.dtype} are not supported; use 8, 16 or 32 bit or float.")
    if 0 in pixels.shape:
        raise CellspanError(f"the volume has no voxels (shape {pixels.shape}).")
    given = axes or axes_of_array(pixels.shape, is_volume=True)
    try:
        letters = list(meaning_of(checked(given, pixels.shape, "volume"), pixels.shape, is_volume=True))
    except CellspanError:
        raise CellspanError(
            f"a volume has the axes Z, Y, X or Z, C, Y, X, not '{axes or 'unknown'}' with the shape {pixels.shape}."
        ) from None
    for axis in reversed(range(len(letters))):
        if letters[axis] not in "YX" and pixels.shape[axis] == 1 and len(letters) > 3:
            pixels = pixels[(slice(None),) * axis + (0,)]
            del letters[axis]
    return _sorted(pixels, letters, spacing)


def _sorted(pixels: Any, letters: list[str], spacing: Spacing | None) -> Volume:
    """The axes in the order C, Z, Y, X."""
    stacks = [letter for letter in letters if letter in STACKS]
    if "T" in stacks and len(stacks) > 1:
        raise CellspanError(
            f"the file holds {pixels.shape[letters.index('T')]} time points of a volume; save each one in its own file."
        )
    if len(stacks) != 1 or len(letters) > 4 or not set(letters) <= set("YX" + STACKS + COLOURS):
        raise CellspanError(
            f"the axes {''.join(letters)} with the shape {pixels.shape} are not those of a volume: it needs one axis "
            "of slices and at most one of channels."
        )
    colour = next((letter for letter in letters if letter in COLOURS), None)
    if colour is None:
        pixels, letters = pixels[None], ["C", *letters]
    order = [letters.index(letter) for letter in (colour or "C", stacks[0], "Y", "X")]
    is_rgb = colour == "S" and pixels.shape[order[0]] in (3, 4)
    pixels = pixels.transpose(order)
    return Volume(pixels[:3] if is_rgb else pixels, spacing, is_rgb=is_rgb)
