"""2D objects of neighbouring slices (or frames) joined to 3D ones by overlap; a fault in one slice only is mended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_array

from cellspan.core.objects.boxes import label_boxes
from cellspan.core.objects.labels import Labels, areas, renumber, renumbered_by
from cellspan.core.objects.metrics import Numbers, best_pairs, intersection_over_union, shared_pixels

MOSTLY = 0.5  # part of the pixels of an object, or of what two neighbours share, that decides
SURE = 0.4  # intersection over union from which the planes before and after another are believed more than it is
WITHIN = 0.75  # part of a section that lies in a larger one next to it: its end


def stitch(planes: Iterable[Labels], threshold: float) -> Iterator[Labels]:
    """Label images (Y, X), in their order, with one number for each object through all of them.

    Objects of neighbouring planes are one if they are matched with an intersection over union >= `threshold`; the
    matching is the best for all objects together. Before that, each plane is mended where the planes before and after
    it agree on an object (see `mended`); after it, ends that are in one plane only and too small to be matched are
    given to the object that begins or ends there (see `_caps`). Planes come with one plane of delay, so only three are
    in memory. Numbers start from 1 in the order of appearance. Raises CellspanError for planes of different shapes.
    """
    last = 0  # number of objects so far
    before: _Numbered | None = None
    for plane, after in _with_next(planes):
        if before is not None and after is not None:
            plane = mended(before.plane, plane, after, threshold)
        own = np.zeros(int(plane.max(initial=0)) + 1, np.int32)
        if before is not None:
            old, same = _pairs(before.plane, plane, threshold)
            goes_on = np.zeros(len(own), bool)
            if after is not None:
                goes_on[_pairs(plane, after, threshold)[0]] = True
            ends, caps = _caps(before, plane, old, same, goes_on)
            own[same], own[caps] = before.numbers[old], before.numbers[ends]
        new = own == 0
        new[0] = False
        own[new] = last + 1 + np.arange(np.count_nonzero(new), dtype=np.int32)
        last = max(last, int(own.max()))
        yield renumbered_by(plane, own)
        before = _Numbered(plane, own, new)


@dataclass(frozen=True)
class _Numbered:
    """A plane that has been given out."""

    plane: Labels  # with numbers 1..n of its own
    numbers: NDArray[np.int32]  # (n + 1,): those in the volume
    is_new: NDArray[np.bool_]  # (n + 1,): which objects begin here


def _pairs(first: Labels, second: Labels, threshold: float) -> tuple[Numbers, Numbers]:
    """The labels of objects in two planes that are one."""
    rows, columns = best_pairs(intersection_over_union(first, second), threshold)
    return rows + 1, columns + 1


def _caps(
    before: _Numbered, plane: Labels, old: Numbers, same: Numbers, goes_on: NDArray[np.bool_]
) -> tuple[Numbers, Numbers]:
    """Pairs of objects of two planes, besides those that are the same, of which one is the small end of the other.

    Round objects begin and end with sections that overlap little with the next, larger one. Such a section is in one
    plane only and lies almost wholly within an object that has no other partner in this pair of planes.
    """
    sizes, own_sizes = (_sizes(labels, int(labels.max(initial=0))) for labels in (before.plane, plane))
    first, second, shared = shared_pixels(before.plane, plane)
    free = ~np.isin(first, old) & ~np.isin(second, same)
    begins = before.is_new[first] & (shared >= WITHIN * sizes[first])
    ends = ~goes_on[second] & (shared >= WITHIN * own_sizes[second])
    possible = free & (begins | ends)
    part = shared / np.minimum(sizes[first], own_sizes[second])
    table = coo_array((part[possible], (first[possible], second[possible])), shape=(len(sizes), len(own_sizes)))
    return best_pairs(table, 0.0)


def _with_next(planes: Iterable[Labels]) -> Iterator[tuple[Labels, Labels | None]]:
    """Each plane with the one after it, both with numbers 1..n."""
    current: Labels | None = None
    for plane in planes:
        following = renumber(np.ascontiguousarray(plane, np.int32))
        if current is not None:
            yield current, following
        current = following
    if current is not None:
        yield current, None


@dataclass(frozen=True)
class _Agreement:
    """Objects of the planes before and after that are the same, so that the plane between should have them too."""

    first: Labels  # (Y, X): numbers 1..n of the pairs, where their objects are in the plane before
    second: Labels  # the same in the plane after
    core: Labels  # where both are

    @property
    def count(self) -> int:
        return int(self.first.max(initial=0))


def mended(before: Labels, plane: Labels, after: Labels, threshold: float) -> Labels:
    """A plane (Y, X), numbers 1..n, without faults that neither neighbour has where the two agree on an object.

    Two objects that are one in this plane only are divided; one that is in pieces in this plane only is joined; one
    that is missing in this plane only is put where both neighbours have it.
    """
    pairs = _pairs(before, after, max(threshold, SURE))
    if not len(pairs[0]):
        return plane
    first, second = (_chosen(labels, which) for labels, which in zip((before, after), pairs, strict=True))
    agreed = _Agreement(first, second, np.where(first == second, first, 0))
    return renumber(_bridged(_joined(_divided(plane, agreed), agreed), agreed))


def _chosen(labels: Labels, which: Numbers) -> Labels:
    """Only the objects `which`, with the numbers 1.. in that order."""
    table = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    table[which] = np.arange(1, len(which) + 1)
    return renumbered_by(labels, table)


def _divided(plane: Labels, agreed: _Agreement) -> Labels:
    """Objects that hold the cores of several agreed ones are cut: each pixel goes to the nearest core."""
    pairs, objects, shared = shared_pixels(agreed.core, plane)
    held = shared > MOSTLY * _sizes(agreed.core, agreed.count)[pairs]
    pairs, objects = pairs[held], objects[held]
    several = np.bincount(objects, minlength=int(plane.max(initial=0)) + 1) >= 2
    if not several.any():
        return plane
    result, count = plane.copy(), int(plane.max())
    boxes = label_boxes(plane, count)[0]
    for merged in np.flatnonzero(several):
        y0, x0, y1, x1 = boxes[merged - 1]
        box = (slice(y0, y1), slice(x0, x1))
        own = plane[box] == merged
        cores = np.where(own & np.isin(agreed.core[box], pairs[objects == merged]), agreed.core[box], 0)
        nearest = distance_transform_edt(cores == 0, return_distances=False, return_indices=True)
        # Numbers above those in use; renumbered in the end.
        result[box][own] = count + cores[tuple(nearest)][own]
    return renumber(result)


def _joined(plane: Labels, agreed: _Agreement) -> Labels:
    """Objects that lie mostly within the same agreed one, in both neighbours, are one."""
    owner = _owners(plane, agreed)
    table = np.arange(len(owner), dtype=np.int32)
    parts = np.flatnonzero(owner)
    _, first, which = np.unique(owner[parts], return_index=True, return_inverse=True)
    table[parts] = parts[first][which]
    return renumbered_by(plane, table)


def _owners(plane: Labels, agreed: _Agreement) -> Numbers:
    """For each label of a plane, the agreed object that most of its pixels lie in before and after; else 0."""
    sizes = _sizes(plane, int(plane.max(initial=0)))
    found = np.zeros((2, len(sizes)), np.int64)
    for owner, neighbour in zip(found, (agreed.first, agreed.second), strict=True):
        pairs, objects, shared = shared_pixels(neighbour, plane)
        inside = shared > MOSTLY * sizes[objects]
        owner[objects[inside]] = pairs[inside]
    return np.where(found[0] == found[1], found[0], 0)


def _bridged(plane: Labels, agreed: _Agreement) -> Labels:
    """Agreed objects whose core is mostly background here are filled in, from what is left of them or from scratch."""
    empty = np.where(plane == 0, agreed.core, 0)
    missing = _sizes(empty, agreed.count) > MOSTLY * _sizes(agreed.core, agreed.count)
    missing[0] = False
    owner = _owners(plane, agreed)
    numbers = int(plane.max(initial=0)) + np.arange(agreed.count + 1)
    numbers[owner[owner > 0]] = np.flatnonzero(owner)
    numbers[~missing] = 0
    return np.where(plane == 0, renumbered_by(empty, numbers.astype(np.int32)), plane)


def _sizes(labels: Labels, count: int) -> Numbers:
    """Pixels of the labels 0..count at their own index; 0 for the background."""
    sizes = np.zeros(count + 1, np.int64)
    found = areas(labels)
    sizes[1 : len(found) + 1] = found
    return sizes
