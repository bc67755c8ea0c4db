"""Pictures of a segmented volume to look at: its maximum projection, and three cuts at right angles."""

from __future__ import annotations

from colorsys import hsv_to_rgb
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.machine.compiled import njit
from cellspan.core.objects.labels import Labels, resize_labels
from cellspan.core.objects.outlines import outlined
from cellspan.core.objects.slabs import label_slabs, object_boxes, slabs
from cellspan.core.pictures.images import Floats
from cellspan.core.pictures.resizing import resize_plane
from cellspan.core.results.overlays import Picture

DARK, BRIGHT = 1.0, 99.8  # percentiles that are shown black and white
SEPARATOR = 2  # pixels between the cuts
SHADE = 90  # of the separators
GOLDEN = (np.sqrt(5) - 1) / 2  # of the circle of hues from one object to the next, so that neighbours differ
SATURATION = 0.8  # of the objects' colours


def maximum_projection(image: Any, labels: Any) -> Picture:
    """The brightest voxel along z of (Z, Y, X) in grey, with the outline of each object as seen from above.

    Where objects lie over one another their outlines cross; each has a colour of its own. Both arrays may lie on disk.
    """
    projection = reduce(np.maximum, (slab.max(axis=0) for _, slab in slabs(image)))
    picture = outlined(_greys((projection,))[0], np.zeros(projection.shape, np.int32))
    boxes, _ = object_boxes(labels)
    sizes = (boxes[:, 4] - boxes[:, 1]).astype(np.int64) * (boxes[:, 5] - boxes[:, 2])
    starts = np.concatenate(([0], np.cumsum(sizes)))
    shadows = np.zeros(starts[-1], np.bool_)
    for _, slab in label_slabs(labels):
        _cast(slab, boxes, starts, shadows)
    borders = np.zeros(projection.shape, np.int32)
    _mark_borders(shadows, boxes, starts, borders)
    picture[borders > 0] = object_colours(len(boxes))[borders[borders > 0] - 1]
    return picture


def orthogonal_views(image: Any, labels: Any, anisotropy: float) -> Picture:
    """Cuts through (Z, Y, X) along its three pairs of axes, with the objects' outlines.

    XY with YZ to its right and XZ below, at one scale: slices are `anisotropy` pixels apart. Each cut is the one that
    meets most objects; without any, the middle. Both arrays may lie on disk.
    """
    boxes, volumes = object_boxes(labels)
    shape = (int(image.shape[0]), int(image.shape[1]), int(image.shape[2]))
    z, y, x = (_busiest(boxes[volumes > 0][:, [axis, axis + 3]], shape[axis]) for axis in range(3))
    cuts = [
        (np.asarray(volume[z]), np.asarray(volume[:, y]), np.asarray(volume[:, :, x]).T) for volume in (image, labels)
    ]
    depth = max(1, round(shape[0] * anisotropy))
    sizes = ((shape[1], shape[2]), (depth, shape[2]), (shape[1], depth))
    greys = _greys(cuts[0])
    xy, xz, yz = (
        outlined(_resized(grey, size), resize_labels(np.ascontiguousarray(own, np.int32), size))
        for grey, own, size in zip(greys, cuts[1], sizes, strict=True)
    )
    picture = np.full((shape[1] + SEPARATOR + depth, shape[2] + SEPARATOR + depth, 3), SHADE, np.uint8)
    picture[: shape[1], : shape[2]] = xy
    picture[-depth:, : shape[2]] = xz
    picture[: shape[1], -depth:] = yz
    picture[-depth:, -depth:] = 0
    return picture


def object_colours(count: int) -> NDArray[np.uint8]:
    """Bright colours (count, 3) in red, green, blue for labels 1..count; the first is yellow."""
    hues = (60 + 360 * GOLDEN * np.arange(count)) % 360
    colours = [hsv_to_rgb(hue / 360, SATURATION, 1.0) for hue in hues]
    return (255 * np.array(colours).reshape(count, 3)).astype(np.uint8)


def _greys(planes: tuple[NDArray[Any], ...]) -> list[Floats]:
    """Planes on one scale from 0 to 1."""
    low, high = np.percentile(np.concatenate([plane.ravel() for plane in planes]), (DARK, BRIGHT))
    return [np.asarray((plane - low) / max(float(high - low), 1e-6), np.float32) for plane in planes]


def _resized(plane: Floats, size: tuple[int, int]) -> Floats:
    resized = np.empty(size, np.float32)
    resize_plane(plane, resized, averaging=False)
    return resized


def _busiest(ranges: NDArray[np.int32], size: int) -> int:
    """The plane that most ranges (n, 2) hold; the middlemost of several."""
    steps = np.zeros(size + 1, np.int64)
    np.add.at(steps, ranges[:, 0], 1)
    np.add.at(steps, ranges[:, 1], -1)
    held = np.cumsum(steps)[:size]
    best = np.flatnonzero(held == held.max())
    return int(best[np.abs(best - (size - 1) / 2).argmin()])


@njit(cache=True)
def _cast(slab: Labels, boxes: Any, starts: Any, shadows: Any) -> None:
    """Mark the pixels over which each object lies, in its own box (Y, X) among the `shadows` of all."""
    for z in range(slab.shape[0]):
        for y in range(slab.shape[1]):
            for x in range(slab.shape[2]):
                k = slab[z, y, x] - 1
                if k >= 0:
                    width = boxes[k, 5] - boxes[k, 2]
                    shadows[starts[k] + (y - boxes[k, 1]) * width + x - boxes[k, 2]] = True


@njit(cache=True)
def _mark_borders(shadows: Any, boxes: Any, starts: Any, borders: Any) -> None:
    """Pixels of each shadow beside a pixel that is not of it; the border of the image is no outline."""
    for k in range(len(boxes)):
        y0, x0, y1, x1 = boxes[k, 1], boxes[k, 2], boxes[k, 4], boxes[k, 5]
        own = shadows[starts[k] : starts[k + 1]].reshape((y1 - y0, x1 - x0))
        for y in range(y1 - y0):
            for x in range(x1 - x0):
                if not own[y, x]:
                    continue
                above = own[y - 1, x] if y > 0 else y0 == 0
                below = own[y + 1, x] if y < y1 - y0 - 1 else y1 == borders.shape[0]
                left = own[y, x - 1] if x > 0 else x0 == 0
                right = own[y, x + 1] if x < x1 - x0 - 1 else x1 == borders.shape[1]
                if not (above and below and left and right):
                    borders[y0 + y, x0 + x] = k + 1
