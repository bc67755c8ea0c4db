"""Predicted label images against true ones: average precision, precision, recall, per image and pooled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cellspan.core.errors import CellspanError
from cellspan.core.files.folders import folders_below
from cellspan.core.files.regular import is_folder
from cellspan.core.objects.boundaries import BoundaryScore, boundary_score
from cellspan.core.objects.metrics import THRESHOLDS, Matches, intersection_over_union, match
from cellspan.core.pictures.annotations import DRAWN, FOUND, MASKS, annotated
from cellspan.core.pictures.inputs import IMAGE_SUFFIXES
from cellspan.core.pictures.reading import read_labels

LABELS = "_labels"  # as cellspan calls results
# Of several label images of one image, the first of these counts: results may lie beside the annotations.
TRUE = (MASKS, DRAWN, FOUND, LABELS)
PREDICTED = (LABELS, FOUND, DRAWN, MASKS)


@dataclass(frozen=True)
class ImageScore:
    """One image's matches at each IoU threshold, how many objects it has, and how well borders agree, if asked."""

    name: str
    true: int
    predicted: int
    matches: tuple[Matches, ...]
    boundary: BoundaryScore | None = None

    def as_row(self) -> dict[str, Any]:
        """For tables and JSON."""
        precisions = {f"ap@{t:g}": round(m.average_precision, 4) for t, m in zip(THRESHOLDS, self.matches, strict=True)}
        first, borders = self.matches[0], self.boundary
        of_borders = {} if borders is None else {"boundary F1": round(borders.f1, 4), "pixels off": _rounded(borders)}
        return {
            "image": self.name,
            "true": self.true,
            "predicted": self.predicted,
            **precisions,
            "precision@0.5": round(first.precision, 4),
            "recall@0.5": round(first.recall, 4),
            **of_borders,
        }


def _rounded(borders: BoundaryScore) -> float | None:
    """The distance between borders, for tables and JSON, which knows no NaN."""
    return None if np.isnan(borders.distance) else round(borders.distance, 2)


def evaluate_folders(
    predicted: Path,
    true: Path,
    on_score: Callable[[int, int], None] | None = None,
    tolerance: float | None = None,
) -> list[ImageScore]:
    """Score every true label image against the predicted one, each called `<id>` or `<id>_img` with a mark.

    The mark of true ones is one of TRUE, that of predicted ones one of PREDICTED: the first for which there is a file.
    Subfolders must agree. `on_score` gets how many are done, and how many there are. With a `tolerance` in pixels,
    borders are compared as well. Raises CellspanError if a true image has no prediction.
    """
    found, wanted = _by_id(predicted, PREDICTED), _by_id(true, TRUE)
    if not wanted:
        raise CellspanError(f"{true}: no label images named <id>_masks.*, <id>_seg.npy or <id>_labels.* were found.")
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise CellspanError(
            f"{predicted}: {len(missing)} predictions are missing, the first is {missing[0]}_labels.tif."
        )
    scores = []
    for key, path in sorted(wanted.items()):
        scores.append(_score(key, found[key], path, tolerance))
        if on_score:
            on_score(len(scores), len(wanted))
    return scores


def _by_id(folder: Path, marks: tuple[str, ...]) -> dict[str, Path]:
    """Label images by their id; of those with one id, that with the first mark."""
    if not is_folder(folder):
        raise CellspanError(f"{folder}: there is no such folder.")
    found: dict[str, dict[str, Path]] = {mark: {} for mark in marks}
    for path in sorted(path for _, paths in folders_below(folder) for path in paths):
        split = annotated(path) or _labelled(path)
        if split is not None:
            key = (path.parent.relative_to(folder) / _id(split[0])).as_posix()
            other = found[split[1]].setdefault(key, path)
            if other != path:
                raise CellspanError(f"{path}: {other.name} has the same id; move one of the two away.")
    return {key: path for mark in reversed(marks) for key, path in found[mark].items()}


def _labelled(path: Path) -> tuple[str, str] | None:
    """The name of the image, if this is a result of cellspan."""
    is_result = path.suffix.lower() in IMAGE_SUFFIXES and path.stem.casefold().endswith(LABELS)
    return (path.stem[: -len(LABELS)], LABELS) if is_result else None


def _id(stem: str) -> str:
    """Without the `_img` that images of annotated pairs have."""
    return stem[:-4] if stem.casefold().endswith("_img") else stem


def _score(key: str, predicted: Path, true: Path, tolerance: float | None) -> ImageScore:
    labels = read_labels(true), read_labels(predicted)
    try:
        iou = intersection_over_union(*labels)
    except CellspanError as error:
        raise CellspanError(f"{predicted}: {error}") from None
    matches = tuple(match(iou, threshold) for threshold in THRESHOLDS)
    borders = None if tolerance is None else boundary_score(*labels, tolerance)
    return ImageScore(key, iou.shape[0], iou.shape[1], matches, borders)


def summary(scores: list[ImageScore]) -> dict[str, Any]:
    """The mean over images and the pooled counts."""
    pooled = ImageScore(
        "pooled",
        sum(score.true for score in scores),
        sum(score.predicted for score in scores),
        tuple(sum((score.matches[i] for score in scores), Matches(0, 0, 0)) for i in range(len(THRESHOLDS))),
    )
    rows = [score.as_row() for score in scores]
    numbers = [name for name in rows[0] if name not in ("image", "true", "predicted")]
    mean = {}
    for name in numbers:
        known = [row[name] for row in rows if row[name] is not None]
        mean[name] = round(float(np.mean(known)), 4) if known else None
    return {"images": len(scores), "mean": mean, "pooled": pooled.as_row()}
