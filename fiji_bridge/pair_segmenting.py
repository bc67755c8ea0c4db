"""Segments cells and their nuclei for ImageJ: every plane, or every frame's volume, gives cells paired with nuclei.

The pairs are those of CellProfiler's module: both use core/objects/pairing.py. A cell, its nucleus and its cytoplasm
have one number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from roifile import ImagejRoi

from cellspan.core.errors import CellspanError
from cellspan.core.files.npy import load_npy
from cellspan.core.files.writing import write_atomically
from cellspan.core.models.partners import partner_for_nuclei
from cellspan.core.objects.filters import Filtered, filter_objects, only, renumber
from cellspan.core.objects.outlines import labels_to_rois
from cellspan.core.objects.pairing import SPLIT, nuclei_of_discarded_cells, pair
from cellspan.core.objects.roi_places import Place, Stack, bind, digits_for
from cellspan.core.objects.roi_zip import write_roi_zip
from cellspan.core.parameters import Parameters, parse_parameters
from cellspan.core.service.client import NPY, Engine, EngineResult
from cellspan.fiji_bridge.answers import Report, part_of, tell_notes
from cellspan.fiji_bridge.hyperstack import Hyperstack, read_hyperstack, read_selection
from cellspan.fiji_bridge.numbering import Labels, are_selected
from cellspan.fiji_bridge.recent import RECENT
from cellspan.fiji_bridge.restored import write_restored
from cellspan.fiji_bridge.stack_segmenting import write_labels
from cellspan.fiji_bridge.through_engine import engine_errors, shared_engine

KINDS = ("cell", "nucleus", "cytoplasm")  # as channels of the label image
DRAWN = ("cell", "cytoplasm", "nucleus")  # as outlines: ImageJ draws the last one on top
NUCLEI_MODEL = "nuclei"


@dataclass(frozen=True)
class Rules:
    """What becomes of cells and nuclei that are no simple pair (see core.objects.pairing)."""

    without_nucleus: str
    several_nuclei: str
    without_cell: str


def segment_pairs(
    path: Path,
    parameters: dict[str, Any],
    nuclei_diameter: float,
    rules: Rules,
    inside: Path | None,
    report: Report | None,
    rois: Path,
    labels: Path | None,
    restored: Path | None = None,
    is_preview: bool = False,
) -> int:
    """Find cells and nuclei in an image with both; the number of ROIs written. Raises CellspanError.

    `parameters` are those of the cells, with the channel of the nuclei, which help to find them. The nuclei are looked
    for in their channel alone, with the model for nuclei and otherwise the same parameters; `nuclei_diameter` is in
    pixels, 0 = estimated. `labels` gets an image whose channels are cells, nuclei and cytoplasm. `is_preview`: other
    thresholds will follow.
    """
    wanted = parse_parameters({name: value for name, value in parameters.items() if name != "device"})
    if wanted.nuclei_channel is None:
        raise CellspanError("Cells are paired with nuclei: give the channel of the nuclei (nuclei_channel).")
    given = read_hyperstack(path, wanted.is_volume)
    selection = None if inside is None else read_selection(inside, given.size)
    finder = _Finder(
        shared_engine(), wanted, parameters, nuclei_diameter, rules, selection, is_preview, [] if restored else None
    )
    with engine_errors():
        found = np.stack(list(finder.find_all(given, report)))
    if wanted.is_volume:
        found = np.moveaxis(found, 1, 2)
    found = found.reshape(given.frames, given.slices, len(KINDS), *given.size)
    outlines = list(_outlines(found, given))
    write_atomically(rois, lambda part: write_roi_zip(part, outlines))
    if labels:
        write_atomically(labels, lambda part: write_labels(part, found, "TZCYX"))
    if restored:
        planes = finder.restored or []
        write_restored(restored, [planes[t * given.slices : (t + 1) * given.slices] for t in range(given.frames)])
    return len(outlines)


@dataclass(frozen=True)
class _Finder:
    """Finds cells and nuclei in one plane or volume after the other."""

    engine: Engine
    wanted: Parameters
    parameters: dict[str, Any]  # as they were given, with the device
    nuclei_diameter: float
    rules: Rules
    selection: NDArray[np.bool_] | None
    is_preview: bool
    restored: list[NDArray[np.float32]] | None  # gets (C, y, x) of each plane; None = nobody wants it

    def find_all(self, given: Hyperstack, report: Report | None) -> Iterator[Labels]:
        """Labels (3, Y, X) of every plane, or (3, Z, Y, X) of every frame's volume."""
        slices = [None] if self.wanted.is_volume else range(given.slices)
        places = [(t, z) for t in range(given.frames) for z in slices]
        for number, (t, z) in enumerate(places):
            piece = given.volume(t) if z is None else given.plane(t, z)
            yield self._find(piece, part_of(report, number, len(places)))

    def _find(self, piece: bytes, report: Report | None) -> Labels:
        also = {"flows": NPY} if self.rules.several_nuclei == SPLIT else {}
        also |= {"restored": NPY} if self.restored is not None else {}
        cells, files = self._run(piece, self._of_cells, part_of(report, 0, 2), also)
        tell_notes(cells.notes, report)
        if self.restored is not None:
            seen = load_npy(files["restored"])
            self.restored.extend(np.moveaxis(seen, 1, 0) if seen.ndim == 4 else [seen])
        nuclei, _ = self._run(piece, self._of_nuclei, part_of(report, 1, 2), {})
        tell_notes(nuclei.notes, report)
        return self._paired(self._filtered(cells.labels), self._filtered(nuclei.labels), files)

    def _run(
        self, piece: bytes, parameters: dict[str, Any], report: Report | None, also: dict[str, str]
    ) -> tuple[EngineResult, dict[str, bytes]]:
        if self.wanted.is_volume:  # of which the engine keeps nothing
            return self.engine.run(piece, "image/tiff", parameters, report, also)
        return RECENT.run(self.engine, piece, "image/tiff", parameters, report, also, keep=self.is_preview)

    def _paired(self, cells: Filtered, nuclei: Filtered, files: dict[str, bytes]) -> Labels:
        if self.selection is not None:
            selected = are_selected(cells.segmented, self.selection)
            cells = cells._replace(segmented=renumber(only(cells.segmented, selected)))
        kept = np.where(nuclei_of_discarded_cells(cells, nuclei.segmented), 0, nuclei.segmented)
        if self.selection is not None:  # of nuclei in selected cells, it does not matter where they are
            kept = only(kept, are_selected(kept, self.selection | (cells.segmented > 0)))
        pairs = pair(
            cells.segmented,
            kept,
            self.rules.without_nucleus,
            self.rules.several_nuclei,
            self.rules.without_cell,
            lambda: load_npy(files["flows"]),
            anisotropy=self.wanted.anisotropy or 1.0,
        )
        cytoplasm = np.where(pairs.cytoplasm > 0, pairs.cells, 0)  # with the number of its cell
        found = np.stack([pairs.cells, pairs.nuclei, cytoplasm])
        return found if not self.wanted.is_volume or found.ndim == 4 else found[:, None]

    def _filtered(self, labels: Labels) -> Filtered:
        everywhere = np.ones(labels.shape, bool)
        return filter_objects(labels, everywhere, self.wanted.min_size, self.wanted.exclude_on_edges)

    @property
    def _of_cells(self) -> dict[str, Any]:
        """The engine's parameters; small objects and those at edges are dropped here, with their partners."""
        return {**self.parameters, "min_size": 0, "exclude_on_edges": False}

    @property
    def _of_nuclei(self) -> dict[str, Any]:
        limits = self.wanted.limits
        restore = {} if self.wanted.restore is None else {"restore": partner_for_nuclei(self.wanted.restore)}
        return {
            **{name: value for name, value in self._of_cells.items() if name not in ("combine", "nuclei_channel")},
            **restore,
            "model": NUCLEI_MODEL,
            "diameter": self.nuclei_diameter,
            "channel": self.wanted.nuclei_channel,
            "invert": False,
            "limits": None if limits is None else limits[-2:],
        }


def _outlines(found: Labels, given: Hyperstack) -> Iterator[ImagejRoi]:
    """The ROIs of labels (T, Z, 3, Y, X): cell-0012, cytoplasm-0012, nucleus-0012, in stacks cell-0003-0012."""
    stack = Stack(given.slices, given.frames, is_hyperstack=given.has_several_sliders)
    digits = digits_for(int(found.max(initial=0)))
    for t, z in np.ndindex(found.shape[:2]):
        place = Place(z + 1, t + 1)
        rois = [
            (int(roi.name), DRAWN.index(kind), roi)
            for kind, plane in zip(KINDS, found[t, z], strict=True)
            for roi in labels_to_rois(plane)
        ]
        for number, order, roi in sorted(rois, key=lambda entry: entry[:2]):
            bind(roi, stack.position(place))
            roi.name = f"{DRAWN[order]}-{stack.name(number, place, digits)}"
            yield roi
