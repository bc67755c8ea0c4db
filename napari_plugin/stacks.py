"""What the engine gets of napari's image layers: one plane, or a volume, with the nuclei as a second channel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LUMINANCE = (0.299, 0.587, 0.114)  # weights of red, green and blue, as in the engine
PLANE, PLANES, VOLUME, JOINED = "Plane on show", "Every plane", "Volume (3D)", "Slices, joined"
WAYS = (PLANE, PLANES, VOLUME, JOINED)
Pixels = NDArray[Any]


@dataclass(frozen=True)
class Stack:
    """The pixels of one or two image layers of one shape (..., Y, X); colours of a single one stay a last axis."""

    cells: Pixels
    nuclei: Pixels | None
    is_rgb: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., Y, X)."""
        return tuple(self.cells.shape[:-1] if self.is_rgb else self.cells.shape)

    @property
    def options(self) -> dict[str, int]:
        """The engine's options that say which channel is which."""
        return {} if self.nuclei is None else {"channel": 0, "nuclei_channel": 1}

    def plane(self, place: Sequence[int]) -> tuple[tuple[int, ...], Pixels]:
        """The plane at this place for the engine, (Y, X), (C, Y, X) or (Y, X, 3), and the place without Y and X."""
        where = tuple(place[: len(self.shape) - 2])
        return where, self._channels(self.cells, where)

    def planes(self) -> Iterator[tuple[tuple[int, ...], Pixels]]:
        """Every plane for the engine with its place."""
        for where in np.ndindex(*self.shape[:-2]):
            yield self.plane(where)

    def volumes(self) -> Iterator[tuple[tuple[int, ...], Pixels]]:
        """Every volume for the engine, (Z, Y, X) or (Z, C, Y, X), with its place in the axes before Z."""
        cells = grey(self.cells) if self.is_rgb else self.cells
        for where in np.ndindex(*self.shape[:-3]):
            yield where, self._channels(cells, where)

    def _channels(self, cells: Pixels, where: tuple[int, ...]) -> Pixels:
        first = np.ascontiguousarray(cells[where])
        if self.nuclei is None:
            return first
        second = np.ascontiguousarray(self.nuclei[where])
        if first.dtype != second.dtype:
            first, second = first.astype(np.float32), second.astype(np.float32)
        return np.stack([first, second], axis=-3)


def stack_of(cells: Pixels, nuclei: Pixels | None, is_rgb: bool = False, nuclei_are_rgb: bool = False) -> Stack:
    """The data of napari's image layers as a stack; raises ValueError with a sentence if they do not fit."""
    if nuclei is None:
        return _checked(Stack(np.asarray(cells)[..., :3] if is_rgb else np.asarray(cells), None, is_rgb))
    first = grey(cells) if is_rgb else np.asarray(cells)
    second = grey(nuclei) if nuclei_are_rgb else np.asarray(nuclei)
    if second.shape != first.shape:
        raise ValueError(
            f"The layers of cells and nuclei differ in size, {_size(first)} and {_size(second)}; "
            "select two channels of one image."
        )
    return _checked(Stack(first, second))


def _checked(stack: Stack) -> Stack:
    if len(stack.shape) < 2:
        raise ValueError("This layer has a single axis; an image has at least two.")
    return stack


def grey(pixels: Pixels) -> Pixels:
    """Colour pictures (..., 3 or 4) by their brightness, as in the engine."""
    return np.asarray(pixels)[..., :3].astype(np.float32) @ np.array(LUMINANCE, np.float32)


def _size(pixels: Pixels) -> str:
    return " x ".join(map(str, pixels.shape))


def anisotropy_of(scale: Sequence[float]) -> float:
    """z-step divided by the pixel size, from a layer's scale (..., z, y, x); 1 if it has no z."""
    if len(scale) < 3:
        return 1.0
    z, y, x = (abs(float(step)) for step in scale[-3:])
    return z / float(np.sqrt(y * x))
