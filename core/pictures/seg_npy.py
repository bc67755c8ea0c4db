"""Files `<image>_seg.npy`, in which Cellpose's window keeps the objects of an image, drawn or found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.files.pickled import PickledArray, load_dictionary

SEG = "_seg.npy"
COLOURS = 3  # Cellpose's window shows red, green and blue; 0 stands for grey, or for none
Value = TypeVar("Value")


@dataclass(frozen=True)
class Segmentation:
    """What such a file says of the objects."""

    masks: NDArray[Any]  # (Y, X) or (Z, Y, X), as stored: 0 = background
    channel: int | None = None  # that was segmented, counted from 0; None = all, as grey
    nuclei_channel: int | None = None  # None = there was none


def is_seg(path: Path) -> bool:
    """Whether a file is called so."""
    return path.name.casefold().endswith(SEG)


def read_seg(path: Path) -> Segmentation:
    """The objects in such a file; nothing in it is run. Raises CellspanError that names the file."""
    content = load_dictionary(path)
    masks = content.get("masks")
    if not isinstance(masks, PickledArray):
        raise CellspanError(
            f"{path}: it holds no masks, so it is not what Cellpose saves, or an early version of it; open it in "
            "Cellpose and save it again."
        )
    numbers = _understood(path, "masks", masks.array)
    while numbers.ndim > 2 and len(numbers) == 1:
        numbers = numbers[0]
    if numbers.dtype.kind == "i" and numbers.min(initial=0) == -1:  # so early versions mark the background
        numbers = numbers + 1
    return Segmentation(numbers, *_understood(path, "chan_choose", lambda: _channels(content.get("chan_choose"))))


def _understood(path: Path, entry: str, value: Callable[[], Value]) -> Value:
    """An entry's value, in which a damaged file may have anything."""
    try:
        return value()
    except Exception as error:  # noqa: BLE001
        raise CellspanError(f"{path}: its entry '{entry}' is damaged ({error}).") from None


def _channels(chosen: Any) -> tuple[int | None, int | None]:
    """The channel to segment and that of the nuclei, counted from 0; the file counts colours from 1."""
    if isinstance(chosen, PickledArray):
        chosen = chosen.array()
    main, nuclei = (int(number) for number in (*np.ravel([] if chosen is None else chosen), 0, 0)[:2])
    return (
        main - 1 if 0 < main <= COLOURS else None,
        nuclei - 1 if 0 < nuclei <= COLOURS and nuclei != main else None,
    )
