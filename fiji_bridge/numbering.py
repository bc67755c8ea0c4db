"""The numbers of a stack's objects: those outside a selection go, the rest count 1..n, linked over frames if wanted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from roifile import ImagejRoi

Labels = NDArray[np.int32]

Table = NDArray[np.int32]  # entry k is the new number of label k, 0 = the object is dropped


@dataclass
class Frame:
    """The objects of one frame: labels (Z, Y, X), and the ROIs of each slice with their labels."""

    labels: Labels
    rois: list[list[tuple[int, ImagejRoi]]]
    is_volume: bool  # whether an object has one number in all slices

    def renumber(self, tables: list[Table]) -> None:
        """Exchange the numbers of each slice, in labels and ROIs."""
        self.labels = np.stack([table[plane] for table, plane in zip(tables, self.labels, strict=True)])
        self.rois = [
            [(int(table[label]), roi) for label, roi in rois if table[label]]
            for table, rois in zip(tables, self.rois, strict=True)
        ]


def keep_selected(frame: Frame, selection: NDArray[np.bool_] | None) -> None:
    """Drop objects whose centre is outside the selection (Y, X), and number the others 1..n."""
    if frame.is_volume:
        frame.renumber([_kept(frame.labels, selection)] * len(frame.labels))
    else:
        frame.renumber([_kept(plane[None], selection) for plane in frame.labels])


def link(frames: list[Frame]) -> None:
    """Give an object the same number in every frame: volumes as a whole, planes slice by slice."""
    from cellspan.core.objects.linking import link_tables  # numba and scipy: a second that other stacks need not wait

    slices = len(frames[0].labels)
    if frames[0].is_volume:
        tables = [[table] * slices for table in link_tables([frame.labels for frame in frames])]
    else:
        by_slice = [link_tables([frame.labels[z] for frame in frames]) for z in range(slices)]
        tables = [[by_slice[z][t] for z in range(slices)] for t in range(len(frames))]
    for frame, own in zip(frames, tables, strict=True):
        frame.renumber(own)


def _kept(labels: Labels, selection: NDArray[np.bool_] | None) -> Table:
    """New numbers for the labels of (Z, Y, X)."""
    counts = np.bincount(labels.ravel(), minlength=1)
    wanted = counts > 0
    if selection is not None:
        y, x = (
            np.bincount(labels.ravel(), np.broadcast_to(axis, labels.shape).ravel(), len(counts))
            // np.maximum(counts, 1)
            for axis in np.ogrid[: labels.shape[1], : labels.shape[2]]
        )
        wanted &= selection[y.astype(int), x.astype(int)]
    wanted[0] = False
    table = np.zeros(len(counts), np.int32)
    table[wanted] = np.arange(1, np.count_nonzero(wanted) + 1)
    return table
