"""How well predicted objects match true ones: overlap, matching, average precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching, min_weight_full_bipartite_matching

from cellspan.core.objects.labels import Labels, areas, of_one_shape, renumber

THRESHOLDS = (0.5, 0.75, 0.9)
NEXT_TO_NOTHING = 1e-9  # IoU, far below that of two objects with one pixel in common

Numbers = NDArray[np.int64]


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
    a, b = (renumber(labels) for labels in of_one_shape(true, predicted))
    areas_a, areas_b = areas(a), areas(b)
    first, second, overlap = shared_pixels(a, b)
    # In 32 bits, because scipy 1.11 matches no longer ones.
    rows, columns = (labels.astype(np.int32) - 1 for labels in (first, second))
    iou = overlap / (areas_a[rows] + areas_b[columns] - overlap)
    return csr_array((iou, (rows, columns)), shape=(len(areas_a), len(areas_b)))


def shared_pixels(first: Labels, second: Labels) -> tuple[Numbers, Numbers, Numbers]:
    """Pairs of labels of two images of one shape that have pixels in common, and how many; in ascending order."""
    a, b = first.ravel(), second.ravel()
    # Neighbouring pixels mostly belong to the same pair, so runs of them are counted as one.
    starts = np.flatnonzero(np.concatenate(([True], (a[1:] != a[:-1]) | (b[1:] != b[:-1])))[: a.size])
    lengths = np.diff(np.append(starts, a.size))
    both = (a[starts] > 0) & (b[starts] > 0)
    starts, lengths = starts[both], lengths[both]
    columns = int(second.max(initial=0)) + 1
    pairs, which = np.unique(a[starts].astype(np.int64) * columns + b[starts], return_inverse=True)
    counts = np.bincount(which.ravel(), lengths, minlength=len(pairs)).astype(np.int64)
    return pairs // columns, pairs % columns, counts


def best_pairs(iou: csr_array | coo_array, threshold: float) -> tuple[Numbers, Numbers]:
    """The one-to-one pairs (rows, columns) with IoU >= threshold whose IoUs have the largest sum."""
    table = coo_array(iou)
    possible = (table.data >= threshold) & (table.data > 0)
    rows, columns, values = table.row[possible], table.col[possible], table.data[possible]
    # Most have no rival, and the time of the matching grows with the square of the rest.
    alone = (np.bincount(rows)[rows] == 1) & (np.bincount(columns)[columns] == 1)
    rivals = _best_of_rivals(rows[~alone], columns[~alone], values[~alone])
    first, second = (np.concatenate((part[alone], part[~alone][rivals])).astype(np.int64) for part in (rows, columns))
    order = np.argsort(first)
    return first[order], second[order]


def _best_of_rivals(rows: NDArray[Any], columns: NDArray[Any], values: NDArray[Any]) -> Numbers:
    """Indices of the pairs in the one-to-one matching with the largest sum of values."""
    (singles, i), (others, j) = (np.unique(part, return_inverse=True) for part in (rows, columns))
    # Every row needs a partner in scipy's matching, so each has a stand-in that is worth next to nothing.
    stand_ins = np.arange(len(singles))
    whole_i, whole_j = np.concatenate((i, stand_ins)), np.concatenate((j, len(others) + stand_ins))
    weights = np.concatenate((values, np.full(len(singles), NEXT_TO_NOTHING)))
    shape = (len(singles), len(others) + len(singles))
    graph = csr_array((weights, (whole_i.astype(np.int32), whole_j.astype(np.int32))), shape=shape)
    partner = np.full(len(singles), -1)
    matched = min_weight_full_bipartite_matching(graph, maximize=True)
    partner[matched[0]] = matched[1]
    return np.flatnonzero(partner[i] == j)


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
