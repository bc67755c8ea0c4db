"""Pairs each cell with the nucleus inside it; the rest of the cell is cytoplasm.

This file and those that it needs (filters.py, row_runs.py, splitting.py) also run inside CellProfiler, beside its
plugin: Python 3.8, numpy and scipy.
"""

from __future__ import annotations

from typing import Callable, NamedTuple

import numpy as np

from .filters import Filtered, discarded, only, renumber
from .splitting import owners

KEEP, DISCARD, SPLIT = "keep", "discard", "split"  # what becomes of cells and nuclei that are no simple pair
INSIDE = 0.5  # a nucleus belongs to the cell that covers at least this fraction of it


class Pairs(NamedTuple):
    """Label images (Y, X) or (Z, Y, X), and the origin of each label 1..n."""

    cells: np.ndarray  # paired ones first, in the order of their nuclei, then those without a nucleus
    nuclei: np.ndarray  # paired ones first, so that a cell and its nucleus have the same number
    cytoplasm: np.ndarray  # numbered 1..n; a cell that is all nucleus has none
    nucleus_of_cell: np.ndarray  # (cells,) number in `nuclei`; 0 = none
    nuclei_in_cell: np.ndarray  # (cells,) number of nuclei in the cell as found
    cell_of_cytoplasm: np.ndarray  # (cytoplasm,) number in `cells`
    found_cell: np.ndarray  # (cells,) label in the input cells
    found_nucleus: np.ndarray  # (nuclei,) label in the input nuclei


def pair(
    cells: np.ndarray,
    nuclei: np.ndarray,
    without_nucleus: str,
    several_nuclei: str,
    without_cell: str,
    flows: Callable[[], np.ndarray],
    keep_all_nuclei: bool = False,
    anisotropy: float = 1.0,
) -> Pairs:
    """Pair label images (Y, X) or (Z, Y, X) of cells and nuclei.

    The three rules are KEEP, DISCARD or, for cells with several nuclei, SPLIT along the flows; `flows` gives the
    cells' flow field and is called only for a split. With KEEP, a cell with several nuclei is paired with
    the one that covers most of it. `keep_all_nuclei` leaves the nuclei and their numbers as they are.
    """
    cell_of = _cell_of_nucleus(cells, nuclei)
    per_cell = np.bincount(cell_of[1:], minlength=int(cells.max(initial=0)) + 1)
    per_cell[0] = 0
    crowded = per_cell > 1
    found = np.arange(len(per_cell))
    if several_nuclei == SPLIT and crowded.any():
        cells, cell_of, found = _split(cells, nuclei, cell_of, crowded, flows(), anisotropy)
    elif several_nuclei == DISCARD:
        cells = only(cells, ~crowded)
        if not keep_all_nuclei:
            nuclei = only(nuclei, ~crowded[cell_of])
        cell_of = np.where(crowded[cell_of], 0, cell_of)
    nucleus_of = _largest(nuclei, cell_of, len(found))
    present = np.bincount(cells.ravel(), minlength=len(found)) > 0
    present[0] = False
    paired = np.flatnonzero(present & (nucleus_of > 0))
    paired = paired[np.argsort(nucleus_of[paired], kind="stable")]
    alone = np.flatnonzero(present & (nucleus_of == 0)) if without_nucleus != DISCARD else np.zeros(0, int)
    order = np.concatenate([paired, alone])
    chosen = _nuclei_in_order(nuclei, nucleus_of[paired], cell_of, without_cell, keep_all_nuclei)
    new_nucleus = _numbers(chosen, int(nuclei.max(initial=0)) + 1)
    new_nuclei, new_cells = new_nucleus[nuclei], _numbers(order, len(found))[cells]
    cytoplasm, cell_of_cytoplasm = _cytoplasm(new_cells, nuclei)
    return Pairs(
        cells=new_cells,
        nuclei=new_nuclei,
        cytoplasm=cytoplasm,
        nucleus_of_cell=new_nucleus[nucleus_of[order]],
        nuclei_in_cell=per_cell[found[order]],
        cell_of_cytoplasm=cell_of_cytoplasm,
        found_cell=found[order],
        found_nucleus=chosen,
    )


def nuclei_of_discarded_cells(cells: Filtered, nuclei: np.ndarray) -> np.ndarray:
    """The pixels of nuclei in cells that were discarded; these nuclei are discarded too."""
    gone = discarded(cells.unedited_segmented, cells.segmented)
    return np.asarray((_cell_of_nucleus(gone, nuclei) > 0)[nuclei])


def _cell_of_nucleus(cells: np.ndarray, nuclei: np.ndarray) -> np.ndarray:
    """For each nucleus 0..n, the cell that covers at least INSIDE of it; 0 = none."""
    count = int(nuclei.max(initial=0)) + 1
    result = np.zeros(count, np.int64)
    both = (cells > 0) & (nuclei > 0)
    cell_count = int(cells.max(initial=0)) + 1
    pairs, overlap = np.unique(nuclei[both].astype(np.int64) * cell_count + cells[both], return_counts=True)
    areas = np.bincount(nuclei.ravel(), minlength=count)
    best = np.zeros(count, np.int64)
    for pair_, pixels in zip(pairs.tolist(), overlap.tolist()):
        nucleus, cell = divmod(pair_, cell_count)
        if pixels > best[nucleus] and pixels >= INSIDE * areas[nucleus]:
            best[nucleus], result[nucleus] = pixels, cell
    return result


def _largest(nuclei: np.ndarray, cell_of: np.ndarray, cells: int) -> np.ndarray:
    """For each cell 0..n its largest nucleus; 0 = none."""
    areas = np.bincount(nuclei.ravel(), minlength=len(cell_of))
    result = np.zeros(cells, np.int64)
    for nucleus in np.argsort(areas, kind="stable"):
        if nucleus and areas[nucleus]:
            result[cell_of[nucleus]] = nucleus
    result[0] = 0
    return result


def _split(
    cells: np.ndarray,
    nuclei: np.ndarray,
    cell_of: np.ndarray,
    crowded: np.ndarray,
    flows: np.ndarray,
    anisotropy: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Divide each crowded cell among its nuclei: cells, the cell of each nucleus, each cell's original label."""
    split = np.flatnonzero(crowded[cell_of])  # nuclei that each get their own cell
    own_cell = np.zeros(len(cell_of), np.int64)
    own_cell[split] = len(crowded) + np.arange(len(split))
    part = owners(cells, np.where(cell_of[nuclei] == cells, nuclei, 0), crowded, flows, anisotropy)
    cells = np.where(part > 0, own_cell[part], cells)
    found = np.concatenate([np.arange(len(crowded)), cell_of[split]])
    return cells, np.where(own_cell > 0, own_cell, cell_of), found


def _nuclei_in_order(
    nuclei: np.ndarray, paired: np.ndarray, cell_of: np.ndarray, without_cell: str, keep_all: bool
) -> np.ndarray:
    """The labels of the kept nuclei, in their new order."""
    present = np.bincount(nuclei.ravel(), minlength=len(cell_of)) > 0
    present[0] = False
    if keep_all:
        return np.arange(1, len(present))
    in_cells = present & (cell_of > 0)
    wanted = in_cells if without_cell == DISCARD else present
    wanted[paired] = False
    return np.concatenate([paired, np.flatnonzero(wanted)])


def _numbers(order: np.ndarray, count: int) -> np.ndarray:
    """The table old label -> new label 1..n in `order`; 0 for all others."""
    table = np.zeros(count, np.int32)
    table[order] = np.arange(1, len(order) + 1)
    return table


def _cytoplasm(cells: np.ndarray, nuclei: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cells without nuclei, numbered 1..n, and the cell of each."""
    outside = np.where(nuclei > 0, 0, cells)
    present = np.bincount(outside.ravel(), minlength=1) > 0
    present[0] = False
    return renumber(outside), np.flatnonzero(present)
