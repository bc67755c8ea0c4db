"""Labels to outlines and back: polygons along pixel corners, as ImageJ ROIs.

All outlines of an image are traced in one pass over its pixels plus one over its borders, whatever the number of
objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from roifile import ROI_TYPE, ImagejRoi

from cellspan.core.errors import CellspanError
from cellspan.core.machine.compiled import njit
from cellspan.core.objects.boundaries import border_pixels
from cellspan.core.objects.labels import Labels, as_labels
from cellspan.core.objects.roi_places import digits_for
from cellspan.core.objects.roi_zip import write_roi_zip as write_roi_zip
from cellspan.core.pictures.images import Floats

Loop = NDArray[np.int32]  # (n, 2) corner points x, y of a closed polygon, without repeating the first

# java.awt.geom.PathIterator's codes, in which ImageJ stores composite ROIs
_MOVE_TO, _LINE_TO, _CLOSE = 0.0, 1.0, 4.0
LARGEST = 60535  # coordinates up to which ROIs hold whole numbers


def trace_outlines(labels: ArrayLike) -> list[list[Loop]]:
    """For each label 1..n of a (Y, X) image its closed loops: outer borders and holes.

    The even-odd rule over an object's loops gives back exactly its pixels; an absent label has no loop. Loops follow
    4-connected pixels, so pixels that touch at a corner only are loops of their own.
    """
    array = as_labels(labels)
    if array.ndim != 2:
        raise CellspanError(f"Outlines are traced plane by plane: give a (Y, X) label image, not {array.shape}.")
    owners, ends, points = _trace(array)
    outlines: list[list[Loop]] = [[] for _ in range(int(array.max(initial=0)))]
    start = 0
    for owner, end in zip(owners.tolist(), ends.tolist(), strict=True):
        outlines[owner - 1].append(points[start:end])
        start = end
    return outlines


@njit
def _trace(labels: Any) -> tuple[Any, Any, Any]:
    """All loops in one array of points: owners (label of each loop), ends (index after its last point), points."""
    height, width = labels.shape
    seen = np.zeros((height, width), np.bool_)  # pixels whose upper side was followed
    owners = [0 for _ in range(0)]
    ends = [0 for _ in range(0)]
    points = np.empty((1024, 2), np.int32)
    used = 0
    for y in range(height):
        for x in range(width):
            label = labels[y, x]
            # Every loop, around an object or a hole, has a pixel with a stranger above.
            if label == 0 or seen[y, x] or (y > 0 and labels[y - 1, x] == label):
                continue
            points, used = _follow(labels, y, x, seen, points, used)
            owners.append(label)
            ends.append(used)
    return np.array(owners, np.int32), np.array(ends, np.int64), points[:used].copy()


@njit
def _follow(labels: Any, start_y: int, start_x: int, seen: Any, points: Any, used: int) -> tuple[Any, int]:
    """Walk along pixel sides with the object on the right, from the upper left corner of the start pixel."""
    height, width = labels.shape
    label = labels[start_y, start_x]
    y, x = start_y, start_x  # a corner: the upper left one of pixel (y, x)
    dy, dx = 0, 1
    while True:
        if used == len(points):
            points = np.concatenate((points, np.empty_like(points)))
        points[used, 0], points[used, 1] = x, y
        used += 1
        while True:  # straight on, to the next turn
            if dx == 1:
                seen[y, x] = True
            y += dy
            x += dx
            # The two pixels ahead of this corner, on the right and on the left of the direction of walking.
            ry, rx = y + (dy + dx - 1) // 2, x + (dx - dy - 1) // 2
            ly, lx = y + (dy - dx - 1) // 2, x + (dx + dy - 1) // 2
            right = 0 <= ry < height and 0 <= rx < width and labels[ry, rx] == label
            left = 0 <= ly < height and 0 <= lx < width and labels[ly, lx] == label
            if not right:
                dy, dx = dx, -dy
                break
            if left:
                dy, dx = -dx, dy
                break
        if y == start_y and x == start_x and dy == 0 and dx == 1:
            return points, used


def labels_to_rois(labels: ArrayLike) -> list[ImagejRoi]:
    """One ImageJ ROI per label of a (Y, X) image, in label order, named by it: 0001, 0002, ...

    An object in one piece without holes is a polygon along its pixel corners; any other is a composite ROI.
    """
    outlines = trace_outlines(labels)
    digits = digits_for(len(outlines))
    names = {k: f"{k:0{digits}d}" for k, loops in enumerate(outlines, 1) if loops}
    polygons = _polygons({name: outlines[k - 1][0] for k, name in names.items() if len(outlines[k - 1]) == 1})
    return [polygons.get(name) or _composite(outlines[k - 1], name) for k, name in names.items()]


def _polygons(loops: dict[str, Loop]) -> dict[str, ImagejRoi]:
    """A polygon by name for each loop, equal to what `polygon` makes.

    That takes 30 microseconds a ROI, more than tracing it. So roifile makes one, which the others are copies of.
    """
    if not loops:
        return {}
    points = np.concatenate(list(loops.values()))
    if points.max() > LARGEST:
        return {name: polygon(loop, name) for name, loop in loops.items()}
    lengths = np.fromiter(map(len, loops.values()), np.int64, len(loops))
    starts = np.cumsum(lengths) - lengths
    corners = np.minimum.reduceat(points, starts)
    ends = np.maximum.reduceat(points, starts) + 1
    points -= np.repeat(corners, lengths, axis=0)
    model = vars(polygon(next(iter(loops.values())), ""))
    rois = {}
    places = zip(starts.tolist(), lengths.tolist(), corners.tolist(), ends.tolist(), strict=True)
    for name, (start, length, (left, top), (right, bottom)) in zip(loops, places, strict=True):
        rois[name] = roi = ImagejRoi.__new__(ImagejRoi)
        vars(roi).update(model)
        roi.name, roi.n_coordinates = name, length
        roi.left, roi.top, roi.right, roi.bottom = left, top, right, bottom
        roi.integer_coordinates = points[start : start + length]
    return rois


def polygon(loop: Loop, name: str) -> ImagejRoi:
    """A polygon along the points of a loop."""
    roi = ImagejRoi.frompoints(loop, name=name)
    roi.roitype = ROI_TYPE.POLYGON
    return roi


def _composite(loops: list[Loop], name: str) -> ImagejRoi:
    corners = np.concatenate(loops)
    left, top = corners.min(0)
    right, bottom = corners.max(0)
    path = _path(loops)
    return ImagejRoi(
        roitype=ROI_TYPE.RECT,
        name=name,
        left=int(left),
        top=int(top),
        right=int(right),
        bottom=int(bottom),
        shape_roi_size=len(path),
        multi_coordinates=path,
    )


def _path(loops: list[Loop]) -> NDArray[np.float32]:
    """Loops as a java.awt path: move to, line to, ..., close."""
    parts: list[NDArray[np.float32]] = []
    for loop in loops:
        rows = np.empty((len(loop), 3), np.float32)
        rows[:, 0] = _LINE_TO
        rows[0, 0] = _MOVE_TO
        rows[:, 1:] = loop
        parts += [rows.ravel(), np.array([_CLOSE], np.float32)]
    return np.concatenate(parts)


def roi_loops(roi: ImagejRoi) -> list[Loop]:
    """The closed loops of a polygon, rectangle or composite ROI with corner points in whole pixels."""
    if roi.multi_coordinates is not None and roi.shape_roi_size:
        return _loops_of_path(np.asarray(roi.multi_coordinates))
    if roi.roitype == ROI_TYPE.RECT:
        x0, y0, x1, y1 = roi.left, roi.top, roi.right, roi.bottom
        return [np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.int32)]
    return [np.asarray(np.rint(roi.coordinates()), np.int32)]


def _loops_of_path(path: NDArray[np.float32]) -> list[Loop]:
    loops: list[Loop] = []
    points: list[tuple[float, float]] = []
    i = 0
    while i < len(path):
        if path[i] == _CLOSE:
            loops.append(np.asarray(np.rint(points), np.int32))
            points = []
            i += 1
        else:
            points.append((path[i + 1], path[i + 2]))
            i += 3
    return loops


def rois_to_labels(rois: Sequence[ImagejRoi], shape: tuple[int, int]) -> Labels:
    """Paint ROIs into a (Y, X) label image, 1..n in their order; later ones cover earlier ones."""
    labels = np.zeros(shape, np.int32)
    for k, roi in enumerate(rois, 1):
        paint_loops(labels, roi_loops(roi), k)
    return labels


def paint_loops(labels: Labels, loops: Sequence[NDArray[Any]], value: int) -> None:
    """Set the pixels whose centres lie inside the loops (even-odd rule) to `value`; what lies outside is cut off.

    Corners may lie between pixel corners.
    """
    points = np.concatenate([np.zeros((0, 2), np.int32), *loops])
    if not len(points):
        return
    first = np.floor(points.min(axis=0)).astype(np.int64).clip(0)
    x1, y1 = np.minimum(np.ceil(points.max(axis=0)).astype(np.int64), labels.shape[::-1])
    box = labels[first[1] : y1, first[0] : x1]
    if not box.size:
        return
    crossings = np.zeros((box.shape[0], box.shape[1] + 1), np.int32)
    for loop in loops:
        _cross(loop - first, crossings)
    box[np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1] = value


@njit
def _cross(loop: Any, crossings: Any) -> None:
    """Count, for every row of pixel centres, where the loop crosses it."""
    height, width = crossings.shape[0], crossings.shape[1] - 1
    for i in range(len(loop)):
        xa, ya = loop[i]
        xb, yb = loop[(i + 1) % len(loop)]
        low, high = min(ya, yb), max(ya, yb)
        # Rows whose centres, at row + 0.5, lie between the two ends.
        for row in range(max(int(np.ceil(low - 0.5)), 0), min(int(np.ceil(high - 0.5)), height)):
            x = xa + (row + 0.5 - ya) * (xb - xa) / (yb - ya)
            column = int(np.floor(x + 0.5))  # a centre on the line itself is to its left, as in ImageJ
            crossings[row, min(max(column, 0), width)] += 1


def outlined(plane: Floats, labels: Labels) -> NDArray[np.uint8]:
    """A plane (Y, X) of intensities from 0 to 1 in grey, with the outlines of the labels: RGB (Y, X, 3)."""
    grey = (255 * np.clip(plane, 0, 1)).astype(np.uint8)
    picture = np.repeat(grey[:, :, None], 3, axis=2)
    draw_outlines(picture, labels)
    return picture


def draw_outlines(picture: NDArray[np.uint8], labels: Labels, colour: tuple[int, int, int] = (255, 230, 0)) -> None:
    """Draw each object's border pixels into an RGB picture (Y, X, 3)."""
    picture[border_pixels(labels)] = colour


__all__ = [
    "draw_outlines",
    "labels_to_rois",
    "outlined",
    "paint_loops",
    "roi_loops",
    "rois_to_labels",
    "trace_outlines",
    "write_roi_zip",
]
