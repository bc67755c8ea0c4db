"""Cells and their nuclei, one to one: each cell gets the nucleus that lies in it; the rest of it is cytoplasm."""

from __future__ import annotations

from typing import Callable, NamedTuple

import numpy as np

from cellspan_plugin.filters import Filtered, discarded, only, renumber
from cellspan_plugin.layout import DISCARD, SPLIT

INSIDE = 0.5  # a nucleus belongs to the cell that covers at least this part of it
STEPS = 400  # along the flows of a cell that is split; more than any path in a cell takes


class Pairs(NamedTuple):
    """Label images (Y, X), and for each label 1..n where it comes from."""

    cells: np.ndarray  # paired ones first, in the order of their nuclei, then those without a nucleus
    nuclei: np.ndarray  # paired ones first, so that a cell and its nucleus have the same number
    cytoplasm: np.ndarray  # numbered 1..n; a cell that is all nucleus has none
    nucleus_of_cell: np.ndarray  # (cells,) number in `nuclei`; 0 = none
    nuclei_in_cell: np.ndarray  # (cells,) how many nuclei lie in the cell as it was found
    cell_of_cytoplasm: np.ndarray  # (cytoplasm,) number in `cells`
    found_cell: np.ndarray  # (cells,) label in the cells that were given
    found_nucleus: np.ndarray  # (nuclei,) label in the nuclei that were given


def pair(
    cells: np.ndarray,
    nuclei: np.ndarray,
    without_nucleus: str,
    several_nuclei: str,
    without_cell: str,
    flows: Callable[[], np.ndarray],
    keep_all_nuclei: bool = False,
) -> Pairs:
    """Pair label images (Y, X) of cells and nuclei.

    The three rules are Keep, Discard or, for cells with several nuclei, Split along the flows; `flows` gives the
    cells' flow field (2, Y, X) and is called only for a split. With Keep, a cell with several nuclei is paired with
    the one that covers most of it. `keep_all_nuclei` leaves the nuclei and their numbers as they are.
    """
    cell_of = _cell_of_nucleus(cells, nuclei)
    per_cell = np.bincount(cell_of[1:], minlength=int(cells.max(initial=0)) + 1)
    per_cell[0] = 0
    crowded = per_cell > 1
    found = np.arange(len(per_cell))
    if several_nuclei == SPLIT and crowded.any():
        cells, cell_of, found = _split(cells, nuclei, cell_of, crowded, flows())
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
    """The pixels of nuclei that lie in a cell which was found but discarded: they go with it."""
    gone = discarded(cells.unedited_segmented, cells.segmented)
    return (_cell_of_nucleus(gone, nuclei) > 0)[nuclei]


def _cell_of_nucleus(cells: np.ndarray, nuclei: np.ndarray) -> np.ndarray:
    """For each nucleus 0..n the cell that covers at least INSIDE of it; 0 = none."""
    count = int(nuclei.max(initial=0)) + 1
    result = np.zeros(count, np.int64)
    both = (cells > 0) & (nuclei > 0)
    pairs, overlap = np.unique(np.stack([nuclei[both], cells[both]]), axis=1, return_counts=True)
    areas = np.bincount(nuclei.ravel(), minlength=count)
    best = np.zeros(count, np.int64)
    for (nucleus, cell), pixels in zip(pairs.T.tolist(), overlap.tolist()):
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
    cells: np.ndarray, nuclei: np.ndarray, cell_of: np.ndarray, crowded: np.ndarray, flows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share each crowded cell among its nuclei: cells, the cell of each nucleus, and what each cell was found as."""
    cells, cell_of = cells.copy(), cell_of.copy()
    found = list(range(len(crowded)))
    inside = crowded[cells]
    own_nuclei = np.where(cell_of[nuclei] == cells, nuclei, 0)
    owners = _followed(inside, own_nuclei, flows)
    for nucleus in np.flatnonzero(crowded[cell_of]):
        part = inside & (owners == nucleus) & (cells == cell_of[nucleus])
        cells[part] = len(found)
        found.append(int(cell_of[nucleus]))
        cell_of[nucleus] = len(found) - 1
    return cells, cell_of, np.array(found)


def _followed(inside: np.ndarray, nuclei: np.ndarray, flows: np.ndarray) -> np.ndarray:
    """For each pixel inside: the first nucleus on its path along the flows, else the nearest one of its own cell.

    All paths of a cell end in one centre, which lies between its nuclei or in one of them; so a path that has not met
    a nucleus after a nucleus' distance is cut off, and the nearest nucleus takes the pixel.
    """
    rows, columns = np.nonzero(inside)
    owner = nuclei[rows, columns].astype(np.int64)
    y, x = rows.astype(float), columns.astype(float)
    distance, nearest = _nearest(inside, nuclei)
    reach = distance[rows, columns]
    for step in range(STEPS):
        open_ = (owner == 0) & (step < reach)
        if not open_.any():
            break
        at = np.rint(y[open_]).astype(int), np.rint(x[open_]).astype(int)
        y[open_] = np.clip(y[open_] + flows[0][at], 0, inside.shape[0] - 1)
        x[open_] = np.clip(x[open_] + flows[1][at], 0, inside.shape[1] - 1)
        owner[open_] = nuclei[np.rint(y[open_]).astype(int), np.rint(x[open_]).astype(int)]
    result = np.zeros(inside.shape, np.int64)
    result[rows, columns] = np.where(owner > 0, owner, nearest[rows, columns])
    return result


def _nearest(inside: np.ndarray, nuclei: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance in steps through `inside` to the nearest nucleus, and which it is; nuclei grow by one pixel a round."""
    nearest = np.where(nuclei > 0, nuclei, 0).astype(np.int64)
    distance = np.zeros(inside.shape)
    for round_ in range(1, sum(inside.shape)):
        grown = nearest.copy()
        for axis in (0, 1):
            for shift in (1, -1):
                moved = np.roll(nearest, shift, axis)
                edge = [slice(None), slice(None)]
                edge[axis] = slice(0, 1) if shift == 1 else slice(-1, None)
                moved[tuple(edge)] = 0
                grown = np.where((grown == 0) & inside, moved, grown)
        new = (grown > 0) & (nearest == 0)
        if not new.any():
            break
        distance[new], nearest = round_, grown
    return distance, nearest


def _nuclei_in_order(
    nuclei: np.ndarray, paired: np.ndarray, cell_of: np.ndarray, without_cell: str, keep_all: bool
) -> np.ndarray:
    """The labels of the nuclei that stay, in their new order."""
    present = np.bincount(nuclei.ravel(), minlength=len(cell_of)) > 0
    present[0] = False
    if keep_all:
        return np.arange(1, len(present))
    in_cells = present & (cell_of > 0)
    wanted = in_cells if without_cell == DISCARD else present
    wanted[paired] = False
    return np.concatenate([paired, np.flatnonzero(wanted)])


def _numbers(order: np.ndarray, count: int) -> np.ndarray:
    """The table old label -> its place 1..n in `order`; 0 for all others."""
    table = np.zeros(count, np.int32)
    table[order] = np.arange(1, len(order) + 1)
    return table


def _cytoplasm(cells: np.ndarray, nuclei: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What of each cell is not nucleus, numbered 1..n, and the cell of each."""
    outside = np.where(nuclei > 0, 0, cells)
    present = np.bincount(outside.ravel(), minlength=1) > 0
    present[0] = False
    return renumber(outside), np.flatnonzero(present)
