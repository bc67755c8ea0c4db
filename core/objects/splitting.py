"""Divides a cell among its nuclei: each nucleus gets the pixels or voxels whose flow leads to it.

This file also runs inside CellProfiler (see pairing.py): Python 3.8, numpy and scipy.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects

STEPS = 400  # along the flows; longer than any path in a cell


def owners(
    cells: np.ndarray, nuclei: np.ndarray, shared: np.ndarray, flows: np.ndarray, anisotropy: float = 1.0
) -> np.ndarray:
    """For each pixel of a cell k with shared[k], the nucleus that gets it; 0 elsewhere.

    `nuclei`: nuclei in the cells, each only where it covers its own cell. `flows` are (2, Y, X); of volumes
    (3, Z, Y, X) in pixels along X and Y, or (2, Z, Y, X) within the slices.
    """
    result = np.zeros(cells.shape, np.int64)
    for cell, box in enumerate(find_objects(cells), start=1):
        if box is None or not shared[cell]:
            continue
        inside = cells[box] == cell
        own = np.where(inside, nuclei[box], 0)
        result[box][inside] = _followed(inside, own, flows[(slice(None), *box)], anisotropy)
    return result


def _followed(inside: np.ndarray, nuclei: np.ndarray, flows: np.ndarray, anisotropy: float) -> np.ndarray:
    """For each pixel inside: the first nucleus on its path along the flows, otherwise the nearest one.

    All paths of a cell end in one centre, between its nuclei or in one of them. A path that has not met a nucleus
    within the distance to the nearest one is therefore cut off, and the nearest nucleus gets the pixel.
    """
    start = np.nonzero(inside)
    owner = nuclei[start].astype(np.int64)
    distance, nearest = _nearest(inside, nuclei) if inside.ndim == 2 else _nearest_in_space(nuclei, anisotropy)
    reach = distance[start]
    place = np.array(start, dtype=float)
    last = np.array(inside.shape)[:, None] - 1
    pace = np.ones((len(flows), 1))
    if len(flows) == 3:
        pace[0] = 1 / anisotropy
    for step in range(STEPS):
        open_ = (owner == 0) & (step < reach)
        if not open_.any():
            break
        at = tuple(np.rint(place[:, open_]).astype(int))
        moved = place[:, open_]
        moved[-len(flows) :] += flows[(slice(None), *at)] * pace
        place[:, open_] = np.clip(moved, 0, last)
        owner[open_] = nuclei[tuple(np.rint(place[:, open_]).astype(int))]
    return np.where(owner > 0, owner, nearest[start])


def _nearest(inside: np.ndarray, nuclei: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance in steps through `inside` to the nearest nucleus, and its label; nuclei grow by one pixel per round."""
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


def _nearest_in_space(nuclei: np.ndarray, anisotropy: float) -> tuple[np.ndarray, np.ndarray]:
    """The nearest nucleus by straight-line distance, and the offset to it along the axes, in pixels along X and Y."""
    sampling = (anisotropy, 1, 1)
    at = distance_transform_edt(nuclei == 0, sampling=sampling, return_distances=False, return_indices=True)
    way = np.abs(at - np.indices(nuclei.shape)) * np.array(sampling)[:, None, None, None]
    return way.sum(axis=0), nuclei[tuple(at)].astype(np.int64)
