"""Flow targets and flow errors of volumes: heat from each centre, as in core.dynamics.flows, along three axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.machine.compiled import PARALLEL, grouped, njit, parts, prange
from cellspan.core.objects.pieces import own_voxels, volume_boxes

WORK = 2**26  # voxels times steps of diffusion between two looks whether the work is still wanted: up to 0.1 s


def volume_flows(labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """Labels (Z, Y, X) with cubic voxels -> flows (3, Z, Y, X), order z, y, x: unit length inside, 0 outside."""
    boxes, volumes = volume_boxes(labels, int(labels.max(initial=0)))
    flows = np.zeros((3, *labels.shape), np.float32)
    present = np.flatnonzero(volumes)
    for group in grouped(_work(boxes[present]), WORK):
        if len(group) == 1:
            k = present[group[0]]
            own = own_voxels(labels, boxes[k], k + 1)
            _write(own, boxes[k], _heat(own, volumes[k]), flows)
        else:
            with PARALLEL:
                _write_all(labels, boxes, volumes, present[group], flows)
    return flows


def volume_errors(
    labels: NDArray[np.int32], flows: NDArray[np.float32], numbers: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean squared difference between the directions of the flows and those that each object's shape implies.

    For the objects `numbers`, which are labels less one.
    """
    boxes, volumes = volume_boxes(labels, int(labels.max(initial=0)))
    errors = np.zeros(len(numbers))
    present = np.flatnonzero(volumes[numbers])
    for group in grouped(_work(boxes[numbers[present]]), WORK):
        places = present[group]
        if len(group) == 1:
            k = numbers[places[0]]
            own = own_voxels(labels, boxes[k], k + 1)
            errors[places[0]] = _difference(own, boxes[k], _heat(own, volumes[k]), flows) / volumes[k]
        else:
            with PARALLEL:
                _compare_all(labels, boxes, volumes, numbers, places, flows, errors)
    return errors


def _work(boxes: NDArray[np.int32]) -> NDArray[np.float64]:
    """Voxels times steps of diffusion for each of the boxes."""
    sides = (boxes[:, 3:] - boxes[:, :3]).astype(np.float64)
    return np.asarray((sides + 2).prod(1) * 2 * sides.sum(1))


def _heat(own: NDArray[np.bool_], volume: int) -> NDArray[np.float64]:
    """The heat of one object that may be very large; with a cold border of one voxel."""
    inside = _inside(own)
    heat: NDArray[np.float64] = np.zeros_like(inside)
    one, two = np.zeros_like(inside), np.zeros_like(inside)
    centre = _centre(own, volume)
    for first, end in parts(2 * sum(own.shape), WORK // inside.size):
        _diffuse(heat, one, two, inside, centre, end - first)
    return heat


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


@njit(parallel=True)
def _write_all(labels: Any, boxes: Any, volumes: Any, numbers: Any, flows: Any) -> None:
    """Fill `flows` for the objects `numbers` (label less one), each within its own box."""
    for i in prange(len(numbers)):
        k = numbers[i]
        own = own_voxels(labels, boxes[k], k + 1)
        _write(own, boxes[k], _heated(own, volumes[k]), flows)


@njit(parallel=True)
def _compare_all(labels: Any, boxes: Any, volumes: Any, numbers: Any, places: Any, flows: Any, errors: Any) -> None:
    """Fill the entries `places` of `errors`, which belong to the objects `numbers` (label less one)."""
    for i in prange(len(places)):
        k = numbers[places[i]]
        own = own_voxels(labels, boxes[k], k + 1)
        errors[places[i]] = _difference(own, boxes[k], _heated(own, volumes[k]), flows) / volumes[k]


@njit
def _heated(own: Any, volume: int) -> Any:
    """As _heat, without a break."""
    inside = _inside(own)
    heat, one, two = np.zeros_like(inside), np.zeros_like(inside), np.zeros_like(inside)
    steps = 2 * (own.shape[0] + own.shape[1] + own.shape[2])
    _diffuse(heat, one, two, inside, _centre(own, volume), steps)
    return heat


# float64, as in core.dynamics.flows.
@njit
def _inside(own: Any) -> Any:
    """What each voxel takes of its neighbours' heat: 1/27 in the object, nothing outside and on a border around it."""
    depth, height, width = own.shape
    inside = np.zeros((depth + 2, height + 2, width + 2))
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                if own[z, y, x]:
                    inside[z + 1, y + 1, x + 1] = 1 / 27
    return inside


@njit
def _diffuse(heat: Any, one: Any, two: Any, inside: Any, centre: tuple[int, int, int], steps: int) -> None:
    """Heat the centre, then every voxel becomes the mean of its 3x3x3 neighbourhood, 0 outside the object.

    Over the box as one line of voxels, as core.dynamics.flows does. First and last rows, columns and planes stay cold.
    """
    width = heat.shape[2]
    plane = heat.shape[1] * width
    size = heat.size - 2 * plane
    line, ones, twos, share = heat.ravel(), one.ravel(), two.ravel(), inside.ravel()[plane : plane + size]
    here = line[plane : plane + size]
    left, right = line[plane - 1 : plane - 1 + size], line[plane + 1 : plane + 1 + size]
    own = ones[plane : plane + size]
    above, below = ones[plane - width : plane - width + size], ones[plane + width : plane + width + size]
    mid, before, after = twos[plane : plane + size], twos[:size], twos[2 * plane : 2 * plane + size]
    z, y, x = centre
    for _ in range(steps):
        heat[z + 1, y + 1, x + 1] += 1
        for i in range(size):
            own[i] = left[i] + here[i] + right[i]
        for i in range(size):
            mid[i] = above[i] + own[i] + below[i]
        for i in range(size):
            here[i] = share[i] * (before[i] + mid[i] + after[i])


@njit(inline="always")
def _direction(heat: Any, z: int, y: int, x: int) -> tuple[float, float, float]:
    """The direction in which the heat rises at a voxel: unit length, 0 where it is level."""
    dz = heat[z + 1, y, x] - heat[z - 1, y, x]
    dy = heat[z, y + 1, x] - heat[z, y - 1, x]
    dx = heat[z, y, x + 1] - heat[z, y, x - 1]
    length = np.sqrt(dz * dz + dy * dy + dx * dx)
    if length > 0:
        return dz / length, dy / length, dx / length
    return 0.0, 0.0, 0.0


@njit
def _write(own: Any, box: Any, heat: Any, flows: Any) -> None:
    z0, y0, x0 = box[0], box[1], box[2]
    for z in range(own.shape[0]):
        for y in range(own.shape[1]):
            for x in range(own.shape[2]):
                if own[z, y, x]:
                    dz, dy, dx = _direction(heat, z + 1, y + 1, x + 1)
                    flows[0, z0 + z, y0 + y, x0 + x] = dz
                    flows[1, z0 + z, y0 + y, x0 + x] = dy
                    flows[2, z0 + z, y0 + y, x0 + x] = dx


@njit
def _difference(own: Any, box: Any, heat: Any, flows: Any) -> float:
    """The sum of squared differences over the object; its own flows have 32 bits, as they are kept."""
    z0, y0, x0 = box[0], box[1], box[2]
    total = 0.0
    for z in range(own.shape[0]):
        for y in range(own.shape[1]):
            for x in range(own.shape[2]):
                if own[z, y, x]:
                    own_z, own_y, own_x = _direction(heat, z + 1, y + 1, x + 1)
                    dz, dy, dx = (
                        flows[0, z0 + z, y0 + y, x0 + x],
                        flows[1, z0 + z, y0 + y, x0 + x],
                        flows[2, z0 + z, y0 + y, x0 + x],
                    )
                    length = max(np.sqrt(dz * dz + dy * dy + dx * dx), 1e-12)
                    total += (
                        (np.float32(own_z) - dz / length) ** 2
                        + (np.float32(own_y) - dy / length) ** 2
                        + (np.float32(own_x) - dx / length) ** 2
                    )
    return total
