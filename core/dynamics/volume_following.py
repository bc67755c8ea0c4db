"""Following the flows of a volume along three axes: where every foreground voxel arrives; as `following` for planes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.dynamics.steps import STILL
from cellspan.core.machine.compiled import PARALLEL, njit, parts, prange

# So much is done between two looks whether the work is still wanted, and in one turn, at first; see `parts`. It is
# little, because a small image beside this needs several turns.
POINT_STEPS = 2**21  # steps of voxels, if none arrives before the last one
ROWS = 4  # at least, so that several processors have work
VOXELS = 2**24


def follow(flow: NDArray[np.float32], logits: NDArray[np.float32], threshold: float, steps: int) -> NDArray[np.int32]:
    """Where every foreground voxel arrives, as an index into the flat volume; -1 in the background; (Z, Y, X)."""
    foreground = foreground_of(flow, logits, threshold)
    arrivals = np.full(foreground.shape, -1, np.int32)
    depth, height, width = foreground.shape
    for first, end in parts(depth * height, max(ROWS, POINT_STEPS // max(width * steps, 1))):
        with PARALLEL:
            _arrive(flow, foreground, steps, first, end, arrivals)
    return arrivals


def foreground_of(flow: NDArray[np.float32], logits: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """What belongs to objects; voxels without a direction (NaN, infinite) belong to nothing."""
    foreground = logits > threshold
    for component in flow:
        for first, end in parts(len(component), VOXELS // max(component[0].size, 1)):
            foreground[first:end] &= np.isfinite(component[first:end])
    return foreground


@njit(inline="always")
def _flow_at(flow: Any, foreground: Any, z: float, y: float, x: float) -> tuple[float, float, float]:
    """Trilinear flow at a point; background voxels count as standing still."""
    depth, height, width = foreground.shape
    iz, iy, ix = int(z), int(y), int(x)
    fz, fy, fx = z - iz, y - iy, x - ix
    dz = dy = dx = 0.0
    for corner in range(8):
        up, down, right = corner & 1, (corner >> 1) & 1, corner >> 2
        weight = (fz if up else 1 - fz) * (fy if down else 1 - fy) * (fx if right else 1 - fx)
        jz, jy, jx = min(iz + up, depth - 1), min(iy + down, height - 1), min(ix + right, width - 1)
        if weight > 0 and foreground[jz, jy, jx]:
            dz += weight * flow[0, jz, jy, jx]
            dy += weight * flow[1, jz, jy, jx]
            dx += weight * flow[2, jz, jy, jx]
    return dz, dy, dx


@njit(parallel=True)
def _arrive(flow: Any, foreground: Any, steps: int, first: int, end: int, arrivals: Any) -> None:
    """See follow; the rows from `first` on, counted through all planes."""
    depth, height, width = foreground.shape
    for row in prange(first, end):
        plane, line = row // height, row % height
        for column in range(width):
            if not foreground[plane, line, column]:
                continue
            z, y, x = float(plane), float(line), float(column)
            earlier_z, earlier_y, earlier_x = z, y, x
            for step in range(steps):
                dz, dy, dx = _flow_at(flow, foreground, z, y, x)
                z = min(max(z + dz, 0.0), depth - 1.0)
                y = min(max(y + dy, 0.0), height - 1.0)
                x = min(max(x + dx, 0.0), width - 1.0)
                # Two steps apart, because points near a centre may swing from side to side for ever.
                if step & 1:
                    if abs(z - earlier_z) < STILL and abs(y - earlier_y) < STILL and abs(x - earlier_x) < STILL:
                        break
                    earlier_z, earlier_y, earlier_x = z, y, x
            arrivals[plane, line, column] = (int(z) * height + int(y)) * width + int(x)
