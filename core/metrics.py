"""How well predicted objects match true ones: overlap, matching, average precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from cellspan.core.errors import CellspanError
from cellspan.core.labels import areas, as_labels, renumber

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


def intersection_over_union(true: ArrayLike, predicted: ArrayLike) -> csr_array:
    """IoU (true objects, predicted objects) of two label images of one shape, in the order of their labels.

    Sparse, because few objects overlap: 70,000 objects in a table of all pairs would take 39 GB.
    """
    a, b = as_labels(true), as_labels(predicted)
    if a.shape != b.shape:
        raise CellspanError(f"Label images to compare must have one shape, not {a.shape} and {b.shape}.")
    a, b = renumber(a), renumber(b)
    areas_a, areas_b = areas(a), areas(b)
    both = (a > 0) & (b > 0)
    pairs, overlap = np.unique((a[both].astype(np.int64) - 1) * len(areas_b) + b[both] - 1, return_counts=True)
    rows, columns = np.divmod(pairs, max(len(areas_b), 1))
    iou = overlap / (areas_a[rows] + areas_b[columns] - overlap)
    return csr_array((iou, (rows, columns)), shape=(len(areas_a), len(areas_b)))


def best_overlaps(true: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """For each true object, in the order of their labels, the largest IoU that any predicted one has with it."""
    iou = intersection_over_union(true, predicted)
    best = np.zeros(iou.shape[0])
    np.maximum.at(best, iou.nonzero()[0], iou.data)
    return best


def match(iou: csr_array, threshold: float) -> Matches:
    """One-to-one matching that pairs as many objects as possible with IoU >= threshold."""
    pairs = csr_array(iou >= threshold)
    matched = int(np.count_nonzero(maximum_bipartite_matching(pairs, perm_type="column") >= 0))
    return Matches(matched, iou.shape[1] - matched, iou.shape[0] - matched)


def average_precision(
    true: ArrayLike, predicted: ArrayLike, thresholds: Sequence[float] = THRESHOLDS
) -> NDArray[np.float64]:
    """Average precision TP / (TP + FP + FN) of one image at each IoU threshold."""
    iou = intersection_over_union(true, predicted)
    return np.array([match(iou, threshold).average_precision for threshold in thresholds])
