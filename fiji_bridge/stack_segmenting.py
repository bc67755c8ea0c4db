"""Segments a stack for ImageJ: every plane, or every frame's volume, goes through the engine; ROIs and labels of all.

The ROIs know their slices and frames, and lie where they belong in the image that the input was cut out of.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from roifile import ImagejRoi

from cellspan.core.files.npy import load_npy
from cellspan.core.files.writing import write_atomically
from cellspan.core.objects.roi_places import Place, Stack, bind, digits_for
from cellspan.core.objects.roi_zip import write_roi_zip
from cellspan.core.service.client import NPY, Engine
from cellspan.fiji_bridge.answers import Report, part_of, tell_notes
from cellspan.fiji_bridge.hyperstack import Hyperstack, read_hyperstack, read_selection
from cellspan.fiji_bridge.moving import move
from cellspan.fiji_bridge.numbering import Frame, Labels, keep_selected, link
from cellspan.fiji_bridge.recent import RECENT
from cellspan.fiji_bridge.restored import write_restored
from cellspan.fiji_bridge.through_engine import asks_for_volumes, engine_errors, shared_engine
from cellspan.fiji_bridge.tracks import write_tracks

LARGEST_SHORT = 65_535


@dataclass(frozen=True)
class Layout:
    """How the input lies in the user's image, how its objects are numbered, and whether there will be more like it."""

    origin: tuple[int, int, int, int] | None = None  # x, y, slice, frame of the first pixel; None: it is the image
    is_hyperstack: bool | None = None  # None: like the input
    link: bool = False
    is_preview: bool = False  # of a plane, whose thresholds will be tried

    def stack(self, given: Hyperstack) -> Stack:
        """The user's image, as far as the input reaches into it."""
        several = given.has_several_sliders if self.is_hyperstack is None else self.is_hyperstack
        if self.origin is None:
            return Stack(given.slices, given.frames, is_hyperstack=several)
        _, _, z, t = self.origin
        # The number of a plane in a plain stack depends on how many slices it has, which is known only of one frame.
        several = several or (z > 0 and t > 0)
        return Stack(max(2, z + given.slices - 1) if z else 1, max(2, t + given.frames - 1) if t else 1, 1, several)

    @property
    def first(self) -> tuple[int, int, Place]:
        """x, y and place of the first pixel."""
        x, y, z, t = self.origin or (0, 0, 1, 1)
        return x, y, Place(z or 1, t or 1)


def segment_stack(
    path: Path,
    parameters: dict[str, Any],
    layout: Layout,
    inside: Path | None,
    report: Report | None,
    rois: Path,
    labels: Path | None,
    tracks: Path | None,
    restored: Path | None = None,
) -> int:
    """Segment every plane (or every frame's volume) of an image; the number of ROIs written. Raises CellspanError."""
    are_volumes = asks_for_volumes(parameters)
    given = read_hyperstack(path, are_volumes)
    selection = None if inside is None else read_selection(inside, given.size)
    with engine_errors():
        if are_volumes:
            frames = list(_volumes(given, parameters, shared_engine(), report, restored is not None))
        else:
            also = {"rois": "application/zip", **({"restored": NPY} if restored else {})}
            frames = list(_planes(given, parameters, shared_engine(), report, layout.is_preview, also))
    for frame in frames:
        keep_selected(frame, selection)
    if layout.link and len(frames) > 1:
        found = [frame.labels for frame in frames]
        linked = link(frames)
        if tracks:
            write_tracks(tracks, found, linked)
    placed = _placed(frames, layout, layout.stack(given))
    write_atomically(rois, lambda part: write_roi_zip(part, placed))
    if labels:
        write_atomically(labels, lambda part: write_labels(part, np.stack([frame.labels for frame in frames])))
    if restored:
        write_restored(restored, [frame.restored for frame in frames])
    return len(placed)


def _planes(
    given: Hyperstack,
    parameters: dict[str, Any],
    engine: Engine,
    report: Report | None,
    keep: bool,
    also: dict[str, str],
) -> Iterator[Frame]:
    total = given.frames * given.slices
    for t in range(given.frames):
        labels, rois, restored = [], [], []
        for z in range(given.slices):
            part = part_of(report, t * given.slices + z, total)
            result, files = RECENT.run(engine, given.plane(t, z), "image/tiff", parameters, part, also, keep=keep)
            tell_notes(result.notes, report)
            labels.append(result.labels)
            rois.append(_numbered(_rois_in(files["rois"])))
            restored += [load_npy(files["restored"])] if "restored" in files else []
        yield Frame(np.stack(labels), rois, is_volume=False, restored=restored)


def _volumes(
    given: Hyperstack, parameters: dict[str, Any], engine: Engine, report: Report | None, restores: bool
) -> Iterator[Frame]:
    from cellspan.core.objects.outlines import labels_to_rois  # numba: a second that planes need not wait

    for t in range(given.frames):
        also = {"restored": NPY} if restores else {}
        result, files = engine.run(given.volume(t), "image/tiff", parameters, part_of(report, t, given.frames), also)
        tell_notes(result.notes, report)
        labels = result.labels if result.labels.ndim == 3 else result.labels[None]
        rois = [_numbered(labels_to_rois(plane)) for plane in labels]
        restored = list(np.moveaxis(load_npy(files["restored"]), 1, 0)) if restores else []
        yield Frame(labels, rois, is_volume=True, restored=restored)


def _rois_in(archive: bytes) -> list[ImagejRoi]:
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        return [ImagejRoi.frombytes(files.read(name)) for name in files.namelist()]


def _numbered(rois: list[ImagejRoi]) -> list[tuple[int, ImagejRoi]]:
    """The ROIs of one plane with their labels, which the engine names them by."""
    return [(Stack().named(roi.name)[0], roi) for roi in rois]


def _placed(frames: list[Frame], layout: Layout, stack: Stack) -> list[ImagejRoi]:
    """Every ROI where it belongs in the user's image, bound to its plane and named by it."""
    x, y, first = layout.first
    digits = digits_for(max((int(frame.labels.max(initial=0)) for frame in frames), default=0))
    placed = []
    for t, frame in enumerate(frames, first.frame):
        for z, rois in enumerate(frame.rois, first.slice):
            for number, roi in rois:
                move(roi, x, y)
                bind(roi, stack.position(Place(z, t)))
                roi.name = stack.name(number, Place(z, t), digits)
                placed.append(roi)
    return placed


def write_labels(path: Path, labels: Labels, axes: str = "TZYX") -> None:
    """Write labels as ImageJ's own kind of TIFF: 16 bit if the numbers fit, else 32-bit float."""
    kind = np.uint16 if labels.max(initial=0) <= LARGEST_SHORT else np.float32
    tifffile.imwrite(path, labels.astype(kind), imagej=True, metadata={"axes": axes})
