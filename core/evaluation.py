"""Predicted label images against true ones: average precision, precision, recall, per image and pooled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cellspan.core.errors import CellspanError
from cellspan.core.images import IMAGE_SUFFIXES, read_labels
from cellspan.core.metrics import THRESHOLDS, Matches, intersection_over_union, match


@dataclass(frozen=True)
class ImageScore:
    """One image's matches at each IoU threshold, and how many objects it has."""

    name: str
    true: int
    predicted: int
    matches: tuple[Matches, ...]

    def as_row(self) -> dict[str, Any]:
        """For tables and JSON."""
        precisions = {f"ap@{t:g}": round(m.average_precision, 4) for t, m in zip(THRESHOLDS, self.matches, strict=True)}
        first = self.matches[0]
        return {
            "image": self.name,
            "true": self.true,
            "predicted": self.predicted,
            **precisions,
            "precision@0.5": round(first.precision, 4),
            "recall@0.5": round(first.recall, 4),
        }


def evaluate_folders(predicted: Path, true: Path) -> list[ImageScore]:
    """Score every true image `<id>_masks.*` against `<id>_labels.*`, `<id>_img_labels.*` or `<id>_masks.*`.

    Subfolders must agree. Raises CellspanError if a true image has no prediction.
    """
    found = _by_id(predicted)
    wanted = {key: path for key, path in _by_id(true).items() if "_masks" in path.stem} or _by_id(true)
    if not wanted:
        raise CellspanError(f"{true}: no label images named <id>_masks.* or <id>_labels.* were found.")
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise CellspanError(
            f"{predicted}: {len(missing)} predictions are missing, the first is {missing[0]}_labels.tif."
        )
    return [_score(key, found[key], path) for key, path in sorted(wanted.items())]


def _by_id(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise CellspanError(f"{folder}: there is no such folder.")
    found = {}
    for path in sorted(folder.rglob("*")):
        for mark in ("_masks", "_labels"):
            if path.stem.endswith(mark) and path.suffix.lower() in IMAGE_SUFFIXES:
                key = path.stem.removesuffix(mark).removesuffix("_img")
                found[(path.parent.relative_to(folder) / key).as_posix()] = path
    return found


def _score(key: str, predicted: Path, true: Path) -> ImageScore:
    try:
        iou = intersection_over_union(read_labels(true), read_labels(predicted))
    except CellspanError as error:
        raise CellspanError(f"{predicted}: {error}") from None
    return ImageScore(key, iou.shape[0], iou.shape[1], tuple(match(iou, threshold) for threshold in THRESHOLDS))


def summary(scores: list[ImageScore]) -> dict[str, Any]:
    """The mean over images and the pooled counts."""
    pooled = ImageScore(
        "pooled",
        sum(score.true for score in scores),
        sum(score.predicted for score in scores),
        tuple(sum((score.matches[i] for score in scores), Matches(0, 0, 0)) for i in range(len(THRESHOLDS))),
    )
    rows = [score.as_row() for score in scores]
    numbers = [name for name in rows[0] if "@" in name]
    mean = {name: round(float(np.mean([row[name] for row in rows])), 4) for name in numbers}
    return {"images": len(scores), "mean": mean, "pooled": pooled.as_row()}
