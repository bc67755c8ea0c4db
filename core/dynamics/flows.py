"""Label images to flow fields: the training target and the yardstick of the flow error.

Each object is heated at the pixel nearest its centre of mass, the heat diffuses inside the object only, and the flow is
the direction in which the heat rises (Stringer et al. 2021, Methods, "Auxiliary vector flow representation"; the paper
says median, but the models that people share were trained on, and are checked against, the mean).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellspan.core.dynamics.volume_flows import volume_errors, volume_flows
from cellspan.core.machine.compiled import PARALLEL, grouped, njit, parts, prange
from cellspan.core.objects.boxes import label_boxes
from cellspan.core.objects.labels import as_labels

# Heat falls by a factor of 10 about every 15 pixels along a filament, so that 32 bits, which are faster, do not hold
# that of a long one. They are tried for objects of ordinary size, and 64 bits where a pixel stays colder than this.
SHORT = 512  # steps of diffusion
COLD = 1e-20
WORK = 2**27  # pixels times steps of diffusion between two looks whether the work is still wanted: up to 0.1 s


def labels_to_flows(labels: ArrayLike) -> NDArray[np.float32]:
    """Labels (Y, X) -> flows (2, Y, X), order y, x: unit length inside objects, 0 outside.

    A volume (Z, Y, X) with cubic voxels -> (3, Z, Y, X), order z, y, x.
    """
    array = as_labels(labels)
    if array.ndim == 3:
        return volume_flows(array)
    boxes, areas = label_boxes(array, int(array.max(initial=0)))
    flows = np.zeros((2, *array.shape), np.float32)
    present = np.flatnonzero(areas)
    for group in grouped(_work(boxes[present]), WORK):
        if len(group) == 1:
            k = present[group[0]]
            _write(array, k + 1, boxes[k], _heat(array, k + 1, areas[k], boxes[k]), flows)
        else:
            with PARALLEL:
                _write_all(array, boxes, areas, present[group], flows)
    return flows


def flow_errors(
    labels: NDArray[np.int32], flows: NDArray[np.float32], which: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Mean squared difference between each object's flows and those its shape implies; (n,) for labels 1..n.

    Of the labels `which` only, if they are given. In volumes, where flows averaged over slices are shorter than 1, only
    their directions are compared.
    """
    count = int(labels.max(initial=0))
    numbers = np.arange(count) if which is None else np.asarray(which) - 1
    if labels.ndim == 3:
        return volume_errors(labels, flows, numbers)
    boxes, areas = label_boxes(labels, count)
    errors = np.zeros(len(numbers))
    present = np.flatnonzero(areas[numbers])
    for group in grouped(_work(boxes[numbers[present]]), WORK):
        places = present[group]
        if len(group) == 1:
            k = numbers[places[0]]
            heat = _heat(labels, k + 1, areas[k], boxes[k])
            errors[places[0]] = _difference(labels, k + 1, boxes[k], heat, flows) / areas[k]
        else:
            with PARALLEL:
                _compare_all(labels, boxes, areas, numbers, places, flows, errors)
    return errors


def _work(boxes: NDArray[np.int32]) -> NDArray[np.float64]:
    """Pixels times steps of diffusion for each of the boxes."""
    sides = (boxes[:, 2:] - boxes[:, :2]).astype(np.float64)
    return np.asarray((sides + 2).prod(1) * 2 * sides.sum(1))


def _heat(labels: NDArray[np.int32], label: int, area: int, box: NDArray[np.int32]) -> NDArray[Any]:
    """The heat of one object that may be very large; with a cold border of one pixel."""
    steps = _steps(box)
    if steps <= SHORT:
        quick = _heated(labels, label, area, box, np.float32)
        if _is_warm(labels, label, box, quick):
            return np.asarray(quick)
    inside = _inside(labels, label, box, np.float64)
    heat, rows = np.zeros_like(inside), np.zeros_like(inside)
    y, x = centre(labels, label, area, box)
    for first, end in parts(steps, WORK // inside.size):
        _diffuse(heat, rows, inside, y - box[0] + 1, x - box[1] + 1, end - first)
    return np.asarray(heat)


@njit
def centre(labels: Any, label: int, area: int, box: Any) -> tuple[int, int]:
    """The object's pixel nearest the mean of its pixels, the first in reading order among equals."""
    y0, x0, y1, x1 = box
    sum_y = sum_x = 0
    for y in range(y0, y1):
        for x in range(x0, x1):
            if labels[y, x] == label:
                sum_y += y
                sum_x += x
    mean_y, mean_x = sum_y / area, sum_x / area
    best, best_y, best_x = np.inf, y0, x0
    for y in range(y0, y1):
        for x in range(x0, x1):
            distance = (y - mean_y) ** 2 + (x - mean_x) ** 2
            if distance < best and labels[y, x] == label:
                best, best_y, best_x = distance, y, x
    return best_y, best_x


@njit(parallel=True)
def _write_all(labels: Any, boxes: Any, areas: Any, numbers: Any, flows: Any) -> None:
    """Fill `flows` for the objects `numbers` (label less one), each within its own bounding box."""
    for i in prange(len(numbers)):
        k = numbers[i]
        if _steps(boxes[k]) <= SHORT:
            quick = _heated(labels, k + 1, areas[k], boxes[k], np.float32)
            if _is_warm(labels, k + 1, boxes[k], quick):
                _write(labels, k + 1, boxes[k], quick, flows)
                continue
        _write(labels, k + 1, boxes[k], _heated(labels, k + 1, areas[k], boxes[k], np.float64), flows)


@njit(parallel=True)
def _compare_all(labels: Any, boxes: Any, areas: Any, numbers: Any, places: Any, flows: Any, errors: Any) -> None:
    """Fill the entries `places` of `errors`, which belong to the objects `numbers` (label less one)."""
    for i in prange(len(places)):
        k = numbers[places[i]]
        if _steps(boxes[k]) <= SHORT:
            quick = _heated(labels, k + 1, areas[k], boxes[k], np.float32)
            if _is_warm(labels, k + 1, boxes[k], quick):
                errors[places[i]] = _difference(labels, k + 1, boxes[k], quick, flows) / areas[k]
                continue
        heat = _heated(labels, k + 1, areas[k], boxes[k], np.float64)
        errors[places[i]] = _difference(labels, k + 1, boxes[k], heat, flows) / areas[k]


@njit
def _heated(labels: Any, label: int, area: int, box: Any, kind: Any) -> Any:
    """The heat of one object in numbers of this kind, with a cold border of one pixel."""
    inside = _inside(labels, label, box, kind)
    heat, rows = np.zeros_like(inside), np.zeros_like(inside)
    y, x = centre(labels, label, area, box)
    _diffuse(heat, rows, inside, y - box[0] + 1, x - box[1] + 1, _steps(box))
    return heat


@njit
def _steps(box: Any) -> int:
    """Steps of diffusion that bring heat to every end of an object."""
    result: int = 2 * (box[2] - box[0] + box[3] - box[1])
    return result


@njit
def _is_warm(labels: Any, label: int, box: Any, heat: Any) -> bool:
    """Whether the heat has come to every pixel, with numbers that are far from the smallest that there are."""
    y0, x0, y1, x1 = box
    for y in range(y0, y1):
        for x in range(x0, x1):
            if labels[y, x] == label and heat[y - y0 + 1, x - x0 + 1] < COLD:
                return False
    return True


@njit
def _inside(labels: Any, label: int, box: Any, kind: Any) -> Any:
    """What each pixel takes of its neighbours' heat: 1/9 in the object, nothing outside and on a border around it."""
    y0, x0, y1, x1 = box
    inside = np.zeros((y1 - y0 + 2, x1 - x0 + 2), kind)
    for y in range(y0, y1):
        for x in range(x0, x1):
            if labels[y, x] == label:
                inside[y - y0 + 1, x - x0 + 1] = 1 / 9
    return inside


@njit
def _diffuse(heat: Any, rows: Any, inside: Any, centre_y: int, centre_x: int, steps: int) -> None:
    """Heat the centre, then every pixel becomes the mean of its 3x3 neighbourhood, 0 outside the object; repeatedly.

    Over the box as one line of pixels, because rows of objects are too short for the processor's vectors.
    """
    width = heat.shape[1]
    size = heat.size - 2 * width  # without the first and the last row, which stay cold
    line, sums, share = heat.ravel(), rows.ravel(), inside.ravel()[width : width + size]
    left, here, right = (
        line[width - 1 : width - 1 + size],
        line[width : width + size],
        line[width + 1 : width + 1 + size],
    )
    above, own, below = sums[:size], sums[width : width + size], sums[2 * width : 2 * width + size]
    for _ in range(steps):
        heat[centre_y, centre_x] += 1
        for i in range(size):
            own[i] = left[i] + here[i] + right[i]
        for i in range(size):
            here[i] = share[i] * (above[i] + own[i] + below[i])


@njit(inline="always")
def _direction(heat: Any, y: int, x: int) -> tuple[float, float]:
    """The direction in which the heat rises at a pixel: unit length, 0 where it is level."""
    dy = heat[y + 1, x] - heat[y - 1, x]
    dx = heat[y, x + 1] - heat[y, x - 1]
    length = np.sqrt(dy * dy + dx * dx)
    if length > 0:
        return dy / length, dx / length
    return 0.0, 0.0


@njit
def _write(labels: Any, label: int, box: Any, heat: Any, flows: Any) -> None:
    y0, x0, y1, x1 = box
    for y in range(y0, y1):
        for x in range(x0, x1):
            if labels[y, x] == label:
                flows[0, y, x], flows[1, y, x] = _direction(heat, y - y0 + 1, x - x0 + 1)


@njit
def _difference(labels: Any, label: int, box: Any, heat: Any, flows: Any) -> float:
    """The sum of squared differences over the object; in 32 bits for each pixel, as its flows are kept."""
    y0, x0, y1, x1 = box
    total = 0.0
    for y in range(y0, y1):
        for x in range(x0, x1):
            if labels[y, x] == label:
                own_y, own_x = _direction(heat, y - y0 + 1, x - x0 + 1)
                dy = np.float32(own_y) - flows[0, y, x]
                dx = np.float32(own_x) - flows[1, y, x]
                total += dy * dy + dx * dx
    return total
