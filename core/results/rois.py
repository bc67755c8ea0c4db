"""The outlines of objects as ImageJ ROIs, of planes and of volumes."""

from __future__ import annotations

from roifile import ImagejRoi

from cellspan.core.objects.labels import Labels
from cellspan.core.objects.outlines import labels_to_rois
from cellspan.core.results.volume_rois import volume_rois


def outlines_of(labels: Labels) -> list[ImagejRoi]:
    """ImageJ ROIs: one for each object of (Y, X), one for each object and slice of (Z, Y, X)."""
    return labels_to_rois(labels) if labels.ndim == 2 else volume_rois(labels)
