"""Flow targets of volumes: heat from each object's centre, as in core.flows, along three axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.compiled import PARALLEL, njit, prange
from cellspan.core.volumes.pieces import volume_boxes


def volume_flows(labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """Labels (Z, Y, X) with cubic voxels -> flows (3, Z, Y, X), order z, y, x: unit length inside, 0 outside."""
    boxes, volumes = volume_boxes(labels, int(labels.max(initial=0)))
    flows = np.zeros((3, *labels.shape), np.float32)
    with PARALLEL:
        _diffuse_objects(labels, boxes, volumes, flows)
    return flows


@njit
def _centre(own: Any, volume: int) -> tuple[int, int, int]:
    """The object's voxel nearest the mean of its voxels, the first in reading order among equals."""
    depth, height, width = own.shape
    sum_z = sum_y = sum_x = 0
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                if own[z, y, x]:
                    sum_z += z
                    sum_y += y
                    sum_x += x
    mean_z, mean_y, mean_x = sum_z / volume, sum_y / volume, sum_x / volume
    best, found = np.inf, (0, 0, 0)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                if own[z, y, x]:
                    distance = (z - mean_z) ** 2 + (y - mean_y) ** 2 + (x - mean_x) ** 2
                    if distance < best:
                        best, found = distance, (z, y, x)
    return found


# float64, as in core.flows.
@njit(parallel=True)
def _diffuse_objects(labels: Any, boxes: Any, volumes: Any, flows: Any) -> None:
    """Fill `flows` object by object, each within its own box and a cold border of one voxel."""
    for k in prange(len(boxes)):
        if volumes[k] == 0:
            continue
        z0, y0, x0, z1, y1, x1 = boxes[k]
        own = labels[z0:z1, y0:y1, x0:x1] == k + 1
        depth, height, width = own.shape
        cz, cy, cx = _centre(own, volumes[k])
        inside = np.zeros((depth + 2, height + 2, width + 2))
        for z in range(depth):
            for y in range(height):
                for x in range(width):
                    if own[z, y, x]:
                        inside[z + 1, y + 1, x + 1] = 1 / 27
        heat = np.zeros_like(inside)
        one, two = np.zeros_like(inside), np.zeros_like(inside)
        for _ in range(2 * (depth + height + width)):
            heat[cz + 1, cy + 1, cx + 1] += 1
            _spread(heat, one, two, inside)
        for z in range(depth):
            for y in range(height):
                for x in range(width):
                    if own[z, y, x]:
                        dz = heat[z + 2, y + 1, x + 1] - heat[z, y + 1, x + 1]
                        dy = heat[z + 1, y + 2, x + 1] - heat[z + 1, y, x + 1]
                        dx = heat[z + 1, y + 1, x + 2] - heat[z + 1, y + 1, x]
                        length = np.sqrt(dz * dz + dy * dy + dx * dx)
                        if length > 0:
                            flows[0, z0 + z, y0 + y, x0 + x] = dz / length
                            flows[1, z0 + z, y0 + y, x0 + x] = dy / length
                            flows[2, z0 + z, y0 + y, x0 + x] = dx / length


@njit(fastmath=True)
def _spread(heat: Any, one: Any, two: Any, inside: Any) -> None:
    """One step of diffusion: every voxel becomes the mean of its 3x3x3 neighbourhood, 0 outside the object."""
    depth, height, width = heat.shape
    for z in range(1, depth - 1):
        for y in range(1, height - 1):
            for x in range(1, width - 1):
                one[z, y, x] = heat[z, y, x - 1] + heat[z, y, x] + heat[z, y, x + 1]
    for z in range(1, depth - 1):
        for y in range(1, height - 1):
            for x in range(1, width - 1):
                two[z, y, x] = one[z, y - 1, x] + one[z, y, x] + one[z, y + 1, x]
    for z in range(1, depth - 1):
        for y in range(1, height - 1):
            for x in range(1, width - 1):
                heat[z, y, x] = inside[z, y, x] * (two[z - 1, y, x] + two[z, y, x] + two[z + 1, y, x])
