"""Tables of objects: those of a plane, and how every table is written."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.objects.labels import areas, object_means
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.normalise import network_input
from cellspan.core.planes.result import Result
from cellspan.core.results.units import plain_unit

Table = dict[str, NDArray[Any]]  # columns of one length by their names


def plane_table(image: Image, result: Result, parameters: Parameters) -> Table:
    """Columns with one entry for each object: label, y, x, area, diameter, mean probability, mean intensity.

    Positions count pixels from 0, areas are in pixels, the diameter (in pixels) is that of the disk with this area, the
    probability is a logit. Where the size of a pixel is known, `area_um2` and `diameter_um` follow, in its unit.
    """
    labels, count = result.labels, result.count
    sizes = areas(labels)
    intensity = network_input(image, parameters.unscaled())[0][0]
    ys, xs = (np.broadcast_to(axis, labels.shape) for axis in np.ogrid[: labels.shape[0], : labels.shape[1]])
    y, x, probability, brightness = (
        object_means(labels, values, sizes) for values in (ys, xs, result.probability, intensity)
    )
    return {
        "label": np.arange(1, count + 1),
        "y": y.round(2),
        "x": x.round(2),
        "area": sizes,
        "diameter": _diameters(sizes).round(2),
        **_calibrated(sizes, image),
        "mean_probability": probability.round(4),
        "mean_intensity": brightness.round(4),
    }


def _diameters(sizes: NDArray[Any]) -> NDArray[np.float64]:
    """Of disks with these areas."""
    return np.asarray(2 * np.sqrt(sizes / np.pi))


def _calibrated(sizes: NDArray[np.int64], image: Image) -> Table:
    """Areas and diameters in the unit of the image; nothing if that is not known."""
    if image.spacing is None or not image.unit:
        return {}
    name = plain_unit(image.unit)
    calibrated = sizes * image.spacing[0] * image.spacing[1]
    return {f"area_{name}2": six_digits(calibrated), f"diameter_{name}": six_digits(_diameters(calibrated))}


def six_digits(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Six digits that count, whatever the unit."""
    return np.array([float(f"{value:.6g}") for value in values])


def write_table(path: Path, columns: Table) -> None:
    """Columns of one length as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))
