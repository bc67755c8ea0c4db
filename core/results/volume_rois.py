"""The outlines of a volume's objects as ImageJ ROIs: one for each slice that an object is in, held together by name."""

from __future__ import annotations

from typing import Any

import numpy as np
from roifile import ImagejRoi

from cellspan.core.objects.labels import renumber
from cellspan.core.objects.outlines import labels_to_rois
from cellspan.core.objects.roi_places import Place, Stack, bind, digits_for
from cellspan.core.objects.slabs import label_slabs
from cellspan.core.results.volume_pictures import object_colours

OPAQUE = b"\xff"


def volume_rois(labels: Any) -> list[ImagejRoi]:
    """ROIs of the objects of (Z, Y, X), slice by slice and in each in the order of their numbers.

    Names are 0012-0007 for object 7 in slice 12, counted from 1. Each ROI is bound to its slice, and those of one
    object have one colour. For a stack with one channel and one frame. The labels may lie on disk.
    """
    found: list[tuple[int, int, ImagejRoi]] = []
    for first, slab in label_slabs(labels):
        for z, plane in enumerate(slab, first + 1):
            numbers = np.unique(plane[plane > 0])
            rois = labels_to_rois(renumber(plane))
            found += [(z, int(label), roi) for label, roi in zip(numbers, rois, strict=True)]
    last = max((label for _, label, _ in found), default=0)
    stack, digits, colours = Stack(slices=len(labels)), digits_for(last), object_colours(last)
    for z, label, roi in found:
        roi.name = stack.name(label, Place(slice=z), digits)
        bind(roi, stack.position(Place(slice=z)))
        roi.stroke_color = OPAQUE + colours[label - 1].tobytes()
    return [roi for _, _, roi in found]
