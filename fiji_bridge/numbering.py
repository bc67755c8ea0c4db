"""The numbers of a stack's objects: those outside a selection go, the rest count 1..n, linked over frames if wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from roifile import ImagejRoi

if TYPE_CHECKING:
    from cellspan.core.objects.linking import Tracks

Labels = NDArray[np.int32]

Table = NDArray[np.int32]  # entry k is the new number of label k, 0 = the object is dropped


@dataclass
class Frame:
    """The objects of one frame: labels (Z, Y, X), and the ROIs of each slice with their labels."""

    labels: Labels
    rois: list[list[tuple[int, ImagejRoi]]]
    is_volume: bool  # whether an object has one number in all slices
    restored: list[NDArray[np.float32]] = field(default_factory=list)  # (C, y, x) of each slice, if asked for

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


def link(frames: list[Frame]) -> list[Tracks]:
    """Give an object the same number in every frame: volumes as a whole, planes slice by slice. The tracks by slice."""
    tracks = tracks_by_slice([frame.labels for frame in frames], frames[0].is_volume)
    for t, frame in enumerate(frames):
        frame.renumber([of_slice.tables[t] for of_slice in tracks])
    return tracks


def tracks_by_slice(frames: Sequence[Labels], are_volumes: bool) -> list[Tracks]:
    """The tracks in the slices of frames (Z, Y, X); volumes have the same ones in every slice."""
    from cellspan.core.objects.linking import link_tracks  # numba and scipy: a second that other stacks need not wait

    slices = len(frames[0])
    if are_volumes:
        return [link_tracks(frames)] * slices
    return [link_tracks([frame[z] for frame in frames]) for z in range(slices)]


def are_selected(labels: Labels, selection: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """For each label 0..n of (Y, X) or (Z, Y, X), whether it is there and its centre is selected.

    The selection is as large as the labels, or (Y, X) for all slices.
    """
    counts = np.bincount(labels.ravel(), minlength=1)
    centre = tuple(
        np.bincount(labels.ravel(), np.broadcast_to(axis, labels.shape).ravel(), len(counts)).astype(np.int64)
        // np.maximum(counts, 1)
        for axis in np.ogrid[tuple(map(slice, labels.shape))]
    )
    chosen = (counts > 0) & np.broadcast_to(selection, labels.shape)[centre]
    chosen[0] = False
    return chosen


def _kept(labels: Labels, selection: NDArray[np.bool_] | None) -> Table:
    """New numbers for the labels of (Z, Y, X)."""
    wanted = np.bincount(labels.ravel(), minlength=1) > 0 if selection is None else are_selected(labels, selection)
    wanted[0] = False
    table = np.zeros(len(wanted), np.int32)
    table[wanted] = np.arange(1, np.count_nonzero(wanted) + 1)
    return table
