"""Which of the engine's objects are kept: inside the mask, large enough, clear of the border.

Who pairs cells with nuclei also needs the discarded objects, and so do later modules of CellProfiler
(IdentifySecondaryObjects does not grow cells into them); for them objects are filtered here and not in the engine. Both
give the same labels, and a test compares them. Images are (Y, X) or (Z, Y, X).
This file also runs inside CellProfiler (see pairing.py): Python 3.8 and numpy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .row_runs import runs_of

# why objects are discarded; each counts once, for the first reason that holds
TOO_SMALL, DIAMETER, BORDER = "too small", "diameter", "border"


class Filtered(NamedTuple):
    """Label images of the stages; the names are those of CellProfiler's Objects."""

    segmented: np.ndarray  # the final objects, numbered 1..n
    unedited_segmented: np.ndarray  # everything that was found inside the mask
    small_removed_segmented: np.ndarray  # the same without the small ones, but with large ones and those at the border
    found: np.ndarray  # (n,) the label in unedited_segmented of each object in segmented
    reasons: dict[str, int]  # how many objects were discarded for each reason that was looked at


def filter_objects(
    labels: np.ndarray,
    mask: np.ndarray,
    min_size: int,
    discard_border: bool,
    diameters: tuple[float, float] | None = None,
    anisotropy: float = 1.0,
) -> Filtered:
    """Cut the objects to the mask; drop the small ones and, if asked, those that touch the border or are too large.

    `min_size` is in pixels or voxels; `diameters` are the smallest and largest that an object may be `across`.
    """
    everywhere = bool(mask.all())
    found = (labels if everywhere else np.where(mask, labels, 0)).astype(np.int32, copy=False)
    areas = np.concatenate([[0], runs_of(found).areas(int(found.max(initial=0)))])
    diameter = across(areas, labels.ndim, anisotropy)
    low, high = diameters if diameters is not None else (0.0, np.inf)
    present = areas > 0
    big_enough = areas >= max(min_size, 1)
    large = big_enough & (diameter >= low)
    kept = large & (diameter <= high)
    reasons = {TOO_SMALL: _count(present & ~big_enough)}
    if diameters is not None:
        reasons[DIAMETER] = _count(present & big_enough & ~kept)
    if discard_border:
        at_border = _touching(found, None if everywhere else mask, len(areas))
        reasons[BORDER] = _count(kept & at_border)
        kept &= ~at_border
    # A step that discards nothing returns the same array, to save passes over the image.
    small_removed = found if large[present].all() else only(found, large)
    is_complete = bool(kept[1:].all())
    segmented = found if is_complete else np.where(kept, np.cumsum(kept), 0).astype(np.int32)[found]
    return Filtered(segmented, found, small_removed, np.flatnonzero(kept), reasons)


def _count(objects: np.ndarray) -> int:
    return int(np.count_nonzero(objects))


def across(areas: np.ndarray, dimensions: int, anisotropy: float = 1.0) -> np.ndarray:
    """Diameters of circles of these areas or, in 3D, of spheres of these volumes, in pixels along X and Y."""
    if dimensions == 2:
        return np.asarray(2 * np.sqrt(areas / np.pi))
    return np.asarray(2 * np.cbrt(0.75 * areas * anisotropy / np.pi))


def discarded(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The objects of `before` that are background in `after`."""
    return np.where(after > 0, 0, before)


def renumber(labels: np.ndarray) -> np.ndarray:
    """Consecutive labels 1..n in the same order."""
    present = np.bincount(labels.ravel(), minlength=1) > 0
    present[0] = False
    numbers = np.cumsum(present, dtype=np.int32)
    return np.asarray(np.where(present, numbers, 0)[labels], np.int32)


def border_of(mask: np.ndarray) -> np.ndarray:
    """The pixels of the mask with a neighbour, along any axis, outside the mask or outside the image."""
    inside = mask.copy()
    for axis in range(mask.ndim):
        own, kept = np.moveaxis(mask, axis, 0), np.moveaxis(inside, axis, 0)  # views
        kept[1:] &= own[:-1]
        kept[:-1] &= own[1:]
        kept[0] = kept[-1] = False
    return np.asarray(mask & ~inside)


def _touching(labels: np.ndarray, mask: np.ndarray | None, count: int) -> np.ndarray:
    """For each label 0 <= k < count, whether it touches the border of the mask; None = of the image."""
    touching = np.zeros(count, bool)
    if mask is not None:
        touching[labels[border_of(mask)]] = True
        return touching
    for axis in range(labels.ndim):
        for end in (0, -1):
            touching[labels.take(end, axis)] = True
    return touching


def only(labels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The objects k with wanted[k], with unchanged numbers."""
    numbers = np.where(wanted, np.arange(len(wanted)), 0).astype(np.int32)
    numbers[0] = 0
    return np.asarray(numbers[labels])
