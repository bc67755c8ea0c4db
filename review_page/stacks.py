"""What the page shows of an image file: its size by its header, and one plane with its channels at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.axes import meaning_of, several_of
from cellspan.core.pictures.opening import open_picture
from cellspan.core.pictures.planes import named, one_sentence
from cellspan.core.pictures.series import Series

COLOURS = "CS"  # letters of axes that are channels


@dataclass(frozen=True)
class Looks:
    """What the header of an image says."""

    shape: tuple[int, int]  # height and width
    slices: int = 1  # of a z-stack, or time points of a file without slices
    frames: int = 1  # time points of a z-stack
    channels: int = 1
    is_rgb: bool = False
    names: tuple[str, ...] = ()  # of the channels; may be empty
    main: int = 0  # the channel that is segmented if none is chosen
    spacing: tuple[float, ...] = ()  # of pixels along y, x, or z, y, x; empty if it is not known
    unit: str = ""

    @property
    def is_stack(self) -> bool:
        """Whether there is more than one plane."""
        return self.slices * self.frames > 1


def look_at(path: Path, series: int | None = None) -> Looks:
    """Read the header of a file; raises CellspanError that names it."""
    with _opened(path, series) as chosen:
        letters = _letters(chosen)
        lengths = dict(zip(letters, chosen.shape, strict=True))
        colour = next((letter for letter in letters if letter in COLOURS), "")
        stack, frames = ("Z", lengths.get("T", 1)) if lengths.get("Z", 1) > 1 else ("T", 1)
        slices, channels = lengths.get(stack, 1), lengths.get(colour, 1)
        is_rgb = colour == "S" and channels in (3, 4)
        if colour == "S" and channels in (2, 4):
            channels -= 1  # transparency is no signal
        spacing = chosen.sizes.volume if slices > 1 else chosen.sizes.plane
        return Looks(
            (lengths["Y"], lengths["X"]),
            slices,
            frames,
            channels,
            is_rgb,
            chosen.channels if len(chosen.channels) == channels else (),
            chosen.main,
            spacing or (),
            chosen.sizes.unit if spacing else "",
        )


def read_plane(path: Path, series: int | None = None, z: int = 0, t: int = 0) -> NDArray[Any]:
    """The channels (C, Y, X) of one plane as they are stored; raises CellspanError that names the file."""
    with _opened(path, series) as chosen:
        letters = _letters(chosen)
        pixels: Any = chosen.lazy() if _is_stack(letters, chosen) else chosen.read(0)
        where = {"Z": z, "T": t} if _length(letters, chosen, "Z") > 1 else {"T": z}
        key = tuple(where.get(letter, 0) if letter not in "YX" + COLOURS else slice(None) for letter in letters)
        plane = np.asarray(pixels[key])
        rest = [letter for letter in letters if letter in "YX" + COLOURS]
        colour = next((letter for letter in rest if letter in COLOURS), "")
        if not colour:
            plane, rest, colour = plane[None], ["C", *rest], "C"
        plane = plane.transpose([rest.index(letter) for letter in (colour, "Y", "X")])
        if colour == "S" and len(plane) in (2, 4):
            plane = plane[:-1]
        return np.ascontiguousarray(plane.astype(np.uint8) if plane.dtype == bool else plane)


@contextmanager
def _opened(path: Path, series: int | None) -> Iterator[Series]:
    """One image of a file; of several files that are one image, what lies in this one."""
    try:
        with open_picture(path) as picture, one_sentence():
            chosen = picture.chosen(series)
            yield chosen if chosen.part is None else chosen.part("TZ")
    except CellspanError as error:
        raise named(error, path) from None


def _letters(chosen: Series) -> str:
    """The axes with letters for those without a meaning; raises CellspanError for what cannot be shown."""
    letters = meaning_of(chosen.axes, chosen.shape)
    if _is_stack(letters, chosen):
        letters = meaning_of(chosen.axes, chosen.shape, is_volume=True)
    long = [letter for letter, length in zip(letters, chosen.shape, strict=True) if length > 1 or letter in "YX"]
    if len(set(long)) < len(long) or set(long) - set("TZYX" + COLOURS) or set(COLOURS) <= set(long):
        raise CellspanError(f"the file holds {several_of(letters, chosen.shape)}, which cannot be shown as a stack.")
    return letters


def _is_stack(letters: str, chosen: Series) -> bool:
    extra = {letter for letter, n in zip(letters, chosen.shape, strict=True) if n > 1 and letter not in "YX"}
    return bool(extra - set(COLOURS))


def _length(letters: str, chosen: Series, letter: str) -> int:
    return chosen.shape[letters.index(letter)] if letter in letters else 1
