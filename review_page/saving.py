"""Writes what was reviewed: label images, outlines for ImageJ, and training pairs, beside the results of the run.

All goes to the folder `reviewed` in the results, so that what the run wrote stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import make_folder, write_atomically
from cellspan.core.objects.labels import renumber
from cellspan.core.objects.outlines import write_roi_zip
from cellspan.core.results.label_files import write_labels
from cellspan.core.results.outputs import output_paths
from cellspan.core.results.rois import outlines_of
from cellspan.review_page.image import ReviewImage
from cellspan.review_page.pairs import write_pairs

FOLDER, PAIRS = "reviewed", "pairs"
Kind = Literal["labels", "rois", "pairs"]


def save(results: Path, images: Iterable[ReviewImage], kinds: Sequence[Kind]) -> dict[str, Any]:
    """Write these kinds of each image: what was written, and why something was not. Objects are numbered 1 to n."""
    written: list[dict[str, str]] = []
    left: list[dict[str, str]] = []
    for image in images:
        try:
            for kind, path in _saved(results / FOLDER, image, kinds):
                written.append({"kind": kind, "path": str(path)})
        except CellspanError as error:
            left.append({"id": image.id, "name": image.name, "sentence": str(error)})
    return {"written": written, "left": left, "folder": str(results / FOLDER)}


def _saved(folder: Path, image: ReviewImage, kinds: Sequence[Kind]) -> list[tuple[Kind, Path]]:
    image.require_own_names()
    if not image.has_labels:
        raise CellspanError(f"{image.name} has no labels yet; segment it first.", "no_labels")
    with image.lock:
        labels = renumber(image.labels()[0])
    looks = image.looks()
    calibration = (looks.spacing or None), looks.unit
    paths = output_paths(folder, image.item.stem, ("labels", "rois"))
    written: list[tuple[Kind, Path]] = []
    for kind in dict.fromkeys(kinds):
        if kind == "pairs":
            written += [("pairs", path) for path in write_pairs(image, folder / PAIRS)]
            continue
        path = paths[kind]
        make_folder(path.parent)
        if kind == "labels":
            write_atomically(path, lambda part: write_labels(part, labels, *calibration))
        else:
            write_atomically(path, lambda part: write_roi_zip(part, outlines_of(labels)))
        written.append((kind, path))
    return written
