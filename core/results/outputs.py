"""What a segmentation leaves on disk: labels, ROIs, overlay picture, table of objects, flows, probability."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import tifffile
from numpy.typing import NDArray
from roifile import ImagejRoi

from cellspan.core.errors import CellspanError
from cellspan.core.files.together import Write, write_together
from cellspan.core.objects.labels import Labels, areas, file_type, object_means
from cellspan.core.objects.outlines import labels_to_rois, outlined, write_roi_zip
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image, network_input
from cellspan.core.planes.result import Result
from cellspan.core.results.kept_outputs import save_outputs_of_network
from cellspan.core.results.volume_rois import volume_rois

ENDINGS = {
    "labels": "_labels.tif",
    "rois": "_rois.zip",
    "overlay": "_overlay.png",
    "table": "_objects.csv",
    "flows": "_flows.tif",
    "probability": "_probability.tif",
    "network": "_network.npz",  # what other thresholds need
}
VIEWS = "_orthogonal.png"  # beside the overlay of a volume

OnFiles = Callable[[Mapping[Path, Write]], None]  # writes files that belong together


def output_paths(folder: Path, stem: Path, kinds: Iterable[str]) -> dict[str, Path]:
    """Where each kind of result of one image goes; raises CellspanError for an unknown kind."""
    unknown = [kind for kind in kinds if kind not in ENDINGS]
    if unknown:
        raise CellspanError(f"There is no output '{unknown[0]}'; choose among {', '.join(ENDINGS)}.")
    return {kind: folder / stem.parent / (stem.name + ENDINGS[kind]) for kind in kinds}


def result_files(paths: dict[str, Path], parameters: Parameters) -> list[Path]:
    """All files that are written for these kinds of results of one image."""
    beside = [views_path(paths["overlay"])] if parameters.is_volume and "overlay" in paths else []
    return [*paths.values(), *beside]


def views_path(overlay: Path) -> Path:
    """Where the orthogonal views of a volume go."""
    return overlay.with_name(overlay.name.removesuffix(ENDINGS["overlay"]) + VIEWS)


def save_outputs(
    paths: dict[str, Path], result: Result, image: Image, parameters: Parameters, write: OnFiles = write_together
) -> None:
    """Write each asked kind of result to its path, all or none; raises CellspanError that names the file."""
    writers: dict[str, Write] = {
        "labels": lambda path: write_labels(path, result.labels),
        "rois": lambda path: write_roi_zip(path, labels_to_rois(result.labels)),
        "overlay": lambda path: imageio.imwrite(path, overlay(image, result.labels, parameters)),
        "network": lambda path: save_outputs_of_network(path, result, image),
        "table": lambda path: write_table(path, objects_table(image, result, parameters)),
        "flows": lambda path: tifffile.imwrite(path, result.flows, compression="zlib", metadata={"axes": "CYX"}),
        "probability": lambda path: tifffile.imwrite(path, result.probability, compression="zlib"),
    }
    write({path: writers[kind] for kind, path in paths.items()})


def write_labels(path: Path, labels: Labels) -> None:
    """A label TIFF (Y, X) or (Z, Y, X): 16 bit where the labels fit, else 32 bit; zlib-compressed."""
    tifffile.imwrite(path, labels.astype(file_type(int(labels.max(initial=0)))), compression="zlib")


def outlines_of(labels: Labels) -> list[ImagejRoi]:
    """ImageJ ROIs: one for each object of (Y, X), one for each object and slice of (Z, Y, X)."""
    return labels_to_rois(labels) if labels.ndim == 2 else volume_rois(labels)


def overlay(image: Image, labels: Labels, parameters: Parameters) -> NDArray[np.uint8]:
    """The segmented channel in grey, 1st to 99.8th percentile, with the outlines in yellow: (Y, X, 3)."""
    shown = parameters.model_copy(update={"normalize": (1.0, 99.8), "invert": False})
    return outlined(network_input(image, shown)[0][0], labels)


def objects_table(image: Image, result: Result, parameters: Parameters) -> dict[str, NDArray[Any]]:
    """Columns with one entry per object: position, area, diameter (pixels), mean probability logit, mean intensity."""
    labels, count = result.labels, result.count
    sizes = areas(labels)
    plain = parameters.model_copy(update={"normalize": None, "invert": False})
    intensity = network_input(image, plain)[0][0]
    ys, xs = (np.broadcast_to(axis, labels.shape) for axis in np.ogrid[: labels.shape[0], : labels.shape[1]])
    y, x, probability, brightness = (
        object_means(labels, values, sizes) for values in (ys, xs, result.probability, intensity)
    )
    return {
        "label": np.arange(1, count + 1),
        "y": y.round(2),
        "x": x.round(2),
        "area": sizes,
        "diameter": (2 * np.sqrt(sizes / np.pi)).round(2),
        "mean_probability": probability.round(4),
        "mean_intensity": brightness.round(4),
    }


def write_table(path: Path, columns: dict[str, NDArray[Any]]) -> None:
    """Columns of one length as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))
