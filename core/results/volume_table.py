"""A table of the objects of a volume: where they are, how large, how smooth, how bright."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cellspan.core.objects.isosurface import isosurface
from cellspan.core.objects.slabs import label_slabs, object_boxes
from cellspan.core.pictures.volume import Spacing
from cellspan.core.results.tables import Table, six_digits
from cellspan.core.results.units import plain_unit

STEPS = 0.55  # of the largest distance of voxels: blur that evens out the stairs between slices
LEAST = 1.0  # of the smallest distance of voxels: blur that evens out the voxels themselves
LARGEST_BOX = 20_000_000  # voxels; of larger objects every n-th voxel is looked at


def volume_table(
    labels: Any,
    spacing: Spacing | None = None,
    unit: str = "",
    intensity: Any = None,
    probability: Any = None,
) -> Table:
    """Columns with one entry for each of the labels 1..n of (Z, Y, X); an absent label has volume 0 and NaN elsewhere.

    label; z, y, x (centre, in voxels from 0); volume (voxels); then in `unit`, for example `volume_um3`, `surface_um2`,
    `diameter_um` (of the ball with the same volume), and sphericity (1 for a ball). Without a unit these are in
    pixels along x, and `spacing` only tells the anisotropy. Mean probability and intensity come last if they are given.
    All volumes may lie on disk. What the border of the volume cuts off does not count, so surfaces are closed there.
    """
    boxes, voxels = object_boxes(labels)
    count = len(voxels)
    steps = np.array(spacing or (1.0, 1.0, 1.0))
    if not unit:
        steps = steps / steps[2]
    centres, *means = _means(labels, count, [values for values in (probability, intensity) if values is not None])
    volumes = voxels * np.prod(steps)
    surfaces = np.array([_surface(labels, k, boxes[k - 1], steps) for k in range(1, count + 1)]).reshape(count)
    name = plain_unit(unit)
    present = np.where(voxels > 0, 1.0, np.nan)
    table = {
        "label": np.arange(1, count + 1),
        **{axis: (values * present).round(2) for axis, values in zip("zyx", centres, strict=True)},
        "volume": voxels,
        f"volume_{name}3": six_digits(volumes),
        f"surface_{name}2": six_digits(surfaces),
        f"diameter_{name}": six_digits(np.cbrt(6 / np.pi * volumes) * present),
        "sphericity": (np.cbrt(np.pi) * np.cbrt(6 * volumes) ** 2 / surfaces).round(4),
    }
    columns = [n for n, v in (("mean_probability", probability), ("mean_intensity", intensity)) if v is not None]
    return table | {column: (mean[0] * present).round(4) for column, mean in zip(columns, means, strict=True)}


def _means(labels: Any, count: int, volumes: list[Any]) -> list[NDArray[np.float64]]:
    """For the centres (3, n), and for each of the volumes (1, n): means over the voxels of each object."""
    sums = [np.zeros((3, count)), *(np.zeros((1, count)) for _ in volumes)]
    voxels = np.zeros(count)

    def add(total: NDArray[np.float64], own: NDArray[Any], values: NDArray[Any]) -> None:
        total += np.bincount(own, values, minlength=count + 1)[1:]

    for z, slab in label_slabs(labels):
        for k, plane in enumerate(slab):
            y, x = np.nonzero(plane)
            own = plane[y, x]
            areas = np.bincount(own, minlength=count + 1)[1:]
            voxels += areas
            sums[0][0] += (z + k) * areas
            add(sums[0][1], own, y)
            add(sums[0][2], own, x)
            for total, volume in zip(sums[1:], volumes, strict=True):
                add(total[0], own, np.asarray(volume[z + k])[y, x].astype(np.float64))
    return [total / np.maximum(voxels, 1) for total in sums]


def _surface(labels: Any, label: int, box: NDArray[np.int32], steps: NDArray[np.float64]) -> float:
    """The surface of one object; NaN for an absent one."""
    z0, y0, x0, z1, y1, x1 = (int(end) for end in box)
    size = (z1 - z0) * (y1 - y0) * (x1 - x0)
    if size == 0:
        return float("nan")
    every = int(np.ceil(np.cbrt(size / LARGEST_BOX))) if size > LARGEST_BOX else 1
    part = np.asarray(labels[z0:z1:every, y0:y1:every, x0:x1:every]) == label
    return surface(part, steps * every)


def surface(mask: NDArray[np.bool_], steps: NDArray[np.float64]) -> float:
    """The surface of what is True in (Z, Y, X), voxels `steps` apart.

    The mask is blurred until neither voxels nor slices show as stairs, which would add 8 % and more. Blurring makes
    round things smaller, so the surface is drawn where it encloses as many voxels as before, and scaled by the rest.
    """
    blur = max(LEAST * steps.min(), STEPS * steps.max()) / steps
    room = [(n, n) for n in np.ceil(3 * blur).astype(int) + 1]
    soft = gaussian_filter(np.pad(mask, room).astype(np.float32), blur)
    voxels = int(np.count_nonzero(mask))
    outside = soft.size - voxels
    level = np.partition(soft, (outside - 1, outside), axis=None)[outside - 1 : outside + 1].mean()
    area, enclosed = isosurface(soft, float(level), steps)
    return area * float(np.cbrt(voxels * np.prod(steps) / enclosed)) ** 2
