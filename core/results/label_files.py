"""Labels, flows and probabilities as TIFF, with the size of their pixels where it is known.

ImageJ's own form where it can hold the numbers, so that ImageJ and Fiji show the unit at once; OME-TIFF for the rest
(32-bit labels, flows of volumes, files beyond 4 GB), which Bio-Formats and others read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from cellspan.core.objects.labels import file_type
from cellspan.core.results.units import plain_unit

CLASSIC_TIFF = 4_000_000_000  # bytes; larger files are BigTIFF
IMAGEJ_AXES = ("YX", "CYX", "ZYX")  # the order that ImageJ wants
LARGEST_RATIONAL = 2**32 - 1
# Units that OME knows, in centimetres, which is what the resolution of a TIFF counts in.
CENTIMETRES = {"m": 100.0, "cm": 1.0, "mm": 0.1, "µm": 1e-4, "nm": 1e-7, "Å": 1e-8, "in": 2.54}
OME_NAMES = {"": "pixel", "inch": "in"}

Steps = tuple[float, ...]  # from one pixel to the next along y, x, or z, y, x


def write_labels(
    path: Path, labels: Any, spacing: Steps | None = None, unit: str = "", count: int | None = None
) -> None:
    """A label TIFF (Y, X) or (Z, Y, X): 16 bit where the labels fit, else 32 bit.

    `count` is the highest label; it must be given for labels that lie on disk.
    """
    highest = int(labels.max(initial=0)) if count is None else count
    write_stack(path, labels, "ZYX"[-labels.ndim :], file_type(highest), spacing, unit)


def write_stack(
    path: Path, array: Any, axes: str, kind: Any = np.float32, spacing: Steps | None = None, unit: str = ""
) -> None:
    """A compressed TIFF, written plane by plane, so that the array may lie on disk.

    `spacing` is that of the last axes, in `unit`, which is empty where it is only known in pixels.
    """
    size = float(np.prod(array.shape, dtype=float)) * np.dtype(kind).itemsize
    planes = (np.asarray(array[index]).astype(kind) for index in np.ndindex(*array.shape[:-2]))
    form = _form(axes, kind, size, spacing, unit) if spacing else {"metadata": {"axes": axes}}
    tifffile.imwrite(
        path,
        planes,
        shape=tuple(array.shape),
        dtype=kind,
        compression="zlib",
        photometric="minisblack",
        bigtiff=size > CLASSIC_TIFF,
        **form,
    )


def _form(axes: str, kind: Any, size: float, spacing: Steps, unit: str) -> dict[str, Any]:
    """What tifffile needs to be told for the size of pixels."""
    if kind != np.uint32 and size < CLASSIC_TIFF and axes in IMAGEJ_AXES:
        metadata = {"axes": axes, "unit": plain_unit(unit, "pixel")}
        depth = {"spacing": spacing[-3]} if "Z" in axes else {}
        return {"imagej": True, "metadata": metadata | depth, "resolution": (1 / spacing[-1], 1 / spacing[-2])}
    name = OME_NAMES.get(unit, unit)
    if name not in ("pixel", *CENTIMETRES):
        return {"metadata": {"axes": axes}}
    sizes: dict[str, Any] = {"axes": axes}
    for axis, step in zip("XYZ", reversed(spacing), strict=False):
        sizes |= {f"PhysicalSize{axis}": step, f"PhysicalSize{axis}Unit": name}
    return {"ome": True, "metadata": sizes, **_resolution(spacing, name)}


def _resolution(spacing: Steps, unit: str) -> dict[str, Any]:
    """The tags that ImageJ reads of files that are not its own."""
    if unit not in CENTIMETRES:
        return {}
    x, y = (1 / (step * CENTIMETRES[unit]) for step in (spacing[-1], spacing[-2]))
    fits = max(x, y) < LARGEST_RATIONAL
    return {"resolution": (x, y), "resolutionunit": "CENTIMETER"} if fits else {}
