"""Files that hold several images: each image becomes an input of its own."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cellspan.core.errors import CellspanError
from cellspan.core.files.regular import open_regular
from cellspan.core.pictures.inputs import TIFF_SUFFIXES, Input

SINGLE = {".png", ".jpg", ".jpeg", ".bmp"}  # formats of one image
ORDERS = {b"II*\0": "<", b"MM\0*": ">"}  # of the bytes in classic TIFF
SUB_PAGES = 330  # the tag of pages below a page


def every_series(inputs: Iterable[Input], chosen: Sequence[int] = ()) -> list[Input]:
    """The inputs, and in place of a file with several images each of them, or those that were chosen, from 0.

    A file that cannot be opened stays as it is, so that it is reported in its turn. Raises CellspanError if an image
    that was chosen is in none of the files.
    """
    found = [one for item in inputs for one in _series_of(item, chosen)]
    if not found:
        numbers = ", ".join(map(str, chosen))
        raise CellspanError(f"--series {numbers}: none of the files has an image of that number; they count from 0.")
    return found


def _series_of(item: Input, chosen: Sequence[int]) -> Iterator[Input]:
    count = _count(item.path)
    if count == 0:
        yield item
    elif count == 1:
        if not chosen or 0 in chosen:
            yield item
    else:
        yield from (replace(item, series=k) for k in range(count) if not chosen or k in chosen)


def _count(path: Path) -> int:
    """How many images a file holds; 0 if it cannot be read."""
    suffix = path.suffix.lower()
    if suffix in SINGLE or (suffix in TIFF_SUFFIXES and _is_single_page(path)):
        return 1
    from cellspan.core.pictures.opening import open_picture

    try:
        with open_picture(path) as picture:
            return len(picture.series)
    except CellspanError:
        return 0


def _is_single_page(path: Path) -> bool:
    """Whether a TIFF file surely has one page, which is one image: then it need not be opened as a picture."""
    try:
        with open_regular(path) as file:
            start = file.read(8)
            order = ORDERS.get(start[:4])
            if order is None:
                return False
            file.seek(struct.unpack(f"{order}4xI", start)[0])
            (tags,) = struct.unpack(f"{order}H", file.read(2))
            content = file.read(12 * tags + 4)
            codes = struct.unpack(f"{order}{'H10x' * tags}I", content)
    except (OSError, CellspanError, struct.error):
        return False
    return codes[-1] == 0 and SUB_PAGES not in codes[:-1]
