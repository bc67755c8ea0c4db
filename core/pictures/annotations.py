"""Which files hold the objects of an image: by their names, as people and as Cellpose call them."""

from __future__ import annotations

from pathlib import Path

from cellspan.core.pictures.inputs import IMAGE_SUFFIXES
from cellspan.core.pictures.seg_npy import SEG, is_seg

MASKS, DRAWN, FOUND = MARKS = ("_masks", SEG, "_cp_masks")  # what people made comes before what Cellpose found


def annotated(path: Path) -> tuple[str, str] | None:
    """The name of the image, and which of MARKS a file has in any case of letters; None for any other file."""
    if is_seg(path):
        return path.name[: -len(SEG)], DRAWN
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return None
    stem, folded = path.stem, path.stem.casefold()
    return next(((stem[: -len(mark)], mark) for mark in (FOUND, MASKS) if folded.endswith(mark)), None)
