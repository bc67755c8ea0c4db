"""Files that napari opens and saves for cellspan: label images, outlines of ImageJ, and Cellpose's `_seg.npy`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import write_atomically
from cellspan.core.objects.labels import as_labels, median_diameter
from cellspan.core.objects.roi_zip import write_roi_zip
from cellspan.core.pictures.reading import read_labels
from cellspan.core.pictures.seg_npy import SEG
from cellspan.core.results.cellpose_files import write_seg
from cellspan.core.results.label_files import write_labels
from cellspan.core.results.rois import outlines_of
from cellspan.core.training.roi_sets import read_annotation, read_rois

LayerData = tuple[Any, dict[str, Any], str]
FILE = "cellspan image file"  # in the metadata of layers of labels: where the image is
ROI_SETS = ("_rois.zip", "RoiSet.zip")


def reader_of(path: str | list[str]) -> Callable[[str | list[str]], list[LayerData]] | None:
    """What napari calls to open one of our files, or None if it is none of them."""
    paths = [path] if isinstance(path, str) else path
    return read if all(name.endswith(("_labels.tif", SEG, *ROI_SETS)) for name in paths) else None


def read(path: str | list[str]) -> list[LayerData]:
    """What our files hold, each as a layer of labels; raises CellspanError that names the file."""
    paths = [path] if isinstance(path, str) else path
    return [(_labels_in(Path(name)), {"name": Path(name).stem}, "labels") for name in paths]


def write_labels_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save a layer of labels, (Y, X) or (Z, Y, X), as `cellspan segment` saves label images."""
    labels = _one_image(data)
    write_atomically(Path(path), lambda part: write_labels(part, labels))
    return [path]


def write_outlines(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save the outlines of a layer of labels, (Y, X) or (Z, Y, X), for ImageJ's ROI Manager."""
    rois = outlines_of(as_labels(_one_image(data)))
    write_atomically(Path(path), lambda part: write_roi_zip(part, rois))
    return [path]


def write_for_cellpose(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save a layer of labels, (Y, X) or (Z, Y, X), as Cellpose's window saves its own: <image>_seg.npy.

    The window opens it with the image, which is taken to lie beside it unless the layer knows better.
    """
    target = _as_seg(Path(path))
    labels = as_labels(_one_image(data))
    metadata = attributes.get("metadata") or {}
    image = Path(metadata.get(FILE) or target.with_name(target.name.removesuffix(SEG) + ".tif"))
    diameter = (metadata.get("cellspan") or {}).get("diameter") or median_diameter(labels) or 0.0
    write_atomically(target, lambda part: write_seg(part, labels, None, None, diameter, image, (None, None)))
    return [str(target)]


def _as_seg(path: Path) -> Path:
    """The name by which Cellpose knows such a file."""
    return path if path.name.endswith(SEG) else path.with_name(path.name.removesuffix(".npy") + SEG)


def _one_image(data: Any) -> Any:
    labels = np.asarray(data)
    if labels.ndim not in (2, 3):
        raise CellspanError(f"Labels with {labels.ndim} axes cannot be one label image; save planes or a z-stack.")
    return labels


def _labels_in(path: Path) -> Any:
    if not path.name.endswith(ROI_SETS):
        return read_labels(path)
    labels = read_annotation(path, _extent(path))
    rows, columns = (np.flatnonzero(labels.any(axis=axis)) for axis in (1, 0))
    return labels[: rows[-1] + 1, : columns[-1] + 1]


def _extent(path: Path) -> tuple[int, int]:
    """Height and width of an image that holds all outlines, which are of one plane; raises CellspanError."""
    rois = read_rois(path)
    if len({(roi.position, roi.c_position, roi.z_position, roi.t_position) for roi in rois}) > 1:
        raise CellspanError(f"{path}: its outlines belong to several planes; open the stack's label image.")
    return max((roi.bottom for roi in rois), default=1), max((roi.right for roi in rois), default=1)
