"""How well predicted objects match true ones: overlap, matching, average precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix

from cellspan.core.errors import CellspanError
from cellspan.core.labels import as_labels, renumber

THRESHOLDS = (0.5, 0.75, 0.9)


@dataclass(frozen=True)
class Matches:
    """Counts of matched and unmatched objects at one IoU threshold."""

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def average_precision(self) -> float:
        """TP / (TP + FP + FN), the score of Cellpose and StarDist; 1 when there is nothing and nothing was found."""
        total = self.true_positives + self.false_positives + self.false_negatives
        return self.true_positives / total if total else 1.0

    @property
    def precision(self) -> float:
        """Fraction of the predicted objects that are right; 1 when nothing was predicted."""
        predicted = self.true_positives + self.false_positives
        return self.true_positives / predicted if predicted else 1.0

    @property
    def recall(self) -> float:
        """Fraction of the true objects that were found; 1 when there are none."""
        true = self.true_positives + self.false_negatives
        return self.true_positives / true if true else 1.0

    def __add__(self, other: Matches) -> Matches:
        """Pool the counts of two images."""
        return Matches(
            self.true_positives + other.true_positives,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )


def intersection_over_union(true: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """IoU (true objects, predicted objects) of two label images of one shape, in the order of their labels."""
    a, b = as_labels(true), as_labels(predicted)
    if a.shape != b.shape:
        raise CellspanError(f"Label images to compare must have one shape, not {a.shape} and {b.shape}.")
    a, b = renumber(a), renumber(b)
    ones = np.ones(a.size, np.int64)
    overlap = coo_matrix((ones, (a.ravel(), b.ravel())), shape=(a.max(initial=0) + 1, b.max(initial=0) + 1)).toarray()
    union = overlap.sum(1, keepdims=True) + overlap.sum(0, keepdims=True) - overlap
    return overlap[1:, 1:] / np.maximum(union[1:, 1:], 1)


def match(iou: NDArray[np.float64], threshold: float) -> Matches:
    """One-to-one matching that pairs as many objects as possible with IoU >= threshold."""
    matched = 0
    if iou.size:
        # IoU breaks ties among equally many pairs.
        gain = (iou >= threshold) + iou / (2 * min(iou.shape))
        rows, columns = linear_sum_assignment(gain, maximize=True)
        matched = int(np.count_nonzero(iou[rows, columns] >= threshold))
    return Matches(matched, iou.shape[1] - matched, iou.shape[0] - matched)


def average_precision(
    true: ArrayLike, predicted: ArrayLike, thresholds: Sequence[float] = THRESHOLDS
) -> NDArray[np.float64]:
    """Average precision TP / (TP + FP + FN) of one image at each IoU threshold."""
    iou = intersection_over_union(true, predicted)
    return np.array([match(iou, threshold).average_precision for threshold in thresholds])
