"""The pixels of a stack that ImageJ wrote, in the order frames, slices, and what one plane has."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.axes import hyperstack
from cellspan.core.pictures.opening import decode


@dataclass(frozen=True)
class Hyperstack:
    """A stack as (T, Z, Y, X), (T, Z, C, Y, X) or (T, Z, Y, X, S)."""

    pixels: NDArray[Any]
    inner: str  # axes of one plane: YX, CYX or YXS

    @property
    def frames(self) -> int:
        """How many there are."""
        return int(self.pixels.shape[0])

    @property
    def slices(self) -> int:
        """How many there are in each frame."""
        return int(self.pixels.shape[1])

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        y = 2 + self.inner.index("Y")
        height, width = self.pixels.shape[y : y + 2]
        return height, width

    @property
    def has_several_sliders(self) -> bool:
        """Whether ImageJ shows it as a hyperstack."""
        several = [self.frames > 1, self.slices > 1]
        return all(several) or (any(several) and "C" in self.inner)

    def volume(self, t: int) -> bytes:
        """All planes of a frame as a file."""
        return _tiff(self.pixels[t], "Z" + self.inner)

    def plane(self, t: int, z: int) -> bytes:
        """One plane as a file."""
        return _tiff(self.pixels[t, z], self.inner)


def read_hyperstack(path: Path, is_volume: bool = False) -> Hyperstack:
    """Read a TIFF or PNG file; raises CellspanError that names it, also if it does not fit into the memory.

    `is_volume` says that pages without a meaning are slices, however few they are.
    """
    try:
        return Hyperstack(*hyperstack(*decode(path, path.suffix), is_volume))
    except OSError as error:
        raise CellspanError(f"{path}: the file cannot be read ({error.strerror or error}).") from None
    except CellspanError as error:
        raise error.within(path) from None


def read_selection(path: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Which pixels of an image of height x width `size` are selected; raises CellspanError that names the file."""
    try:
        selection = np.asarray(decode(path, path.suffix)[0]) > 0
    except (OSError, CellspanError) as error:
        raise CellspanError(f"{path}: the selection cannot be read ({error}).") from None
    if selection.shape != size:
        there, expected = (f"{shape[-1]} x {shape[-2]}" for shape in (selection.shape, size))
        raise CellspanError(f"{path}: the selection is {there} pixels large, but the image {expected}.")
    return selection


def _tiff(pixels: NDArray[Any], axes: str) -> bytes:
    buffer = io.BytesIO()
    photometric = "rgb" if axes.endswith("S") and pixels.shape[-1] >= 3 else "minisblack"
    tifffile.imwrite(buffer, np.ascontiguousarray(pixels), photometric=photometric, metadata={"axes": axes})
    return buffer.getvalue()
