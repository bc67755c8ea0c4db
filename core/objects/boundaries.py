"""The border pixels of objects, and how far those of predicted objects lie from those of true ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellspan.core.objects.labels import of_one_shape


def border_pixels(labels: ArrayLike) -> NDArray[np.bool_]:
    """Where a label image of any shape has pixels of objects that touch, along an axis, what is not that object.

    The edge of the image is no border: what an object does beyond it is unknown.
    """
    given = np.asarray(labels)
    borders = np.zeros(given.shape, bool)
    for axis in range(given.ndim):
        change = np.diff(given, axis=axis) != 0
        after, before = np.moveaxis(borders, axis, 0)[1:], np.moveaxis(borders, axis, 0)[:-1]
        after |= np.moveaxis(change, axis, 0)
        before |= np.moveaxis(change, axis, 0)
    return np.asarray(borders & (given > 0))


@dataclass(frozen=True)
class BoundaryScore:
    """Counts of border pixels within the tolerance of the other image's; `distance` is that of all, in pixels."""

    true: int
    true_near: int
    predicted: int
    predicted_near: int
    distance: float  # median over the border pixels of both; NaN if one of the images has none

    @property
    def f1(self) -> float:
        """Harmonic mean of the two fractions that are near; 1 when there is nothing and nothing was found.

        Csurka et al. 2013, "What is a good evaluation measure for semantic segmentation?".
        """
        pixels = self.true + self.predicted
        if not (self.true and self.predicted):
            return 0.0 if pixels else 1.0
        precision, recall = self.predicted_near / self.predicted, self.true_near / self.true
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary_score(true: ArrayLike, predicted: ArrayLike, tolerance: float = 2.0) -> BoundaryScore:
    """How well the borders of two label images of one shape agree, within `tolerance` pixels.

    Raises CellspanError if the shapes differ.
    """
    from scipy.ndimage import distance_transform_edt  # only here: whoever looks for borders need not wait for it

    first, second = of_one_shape(true, predicted)
    borders = border_pixels(first), border_pixels(second)
    if not (borders[0].any() and borders[1].any()):
        return BoundaryScore(int(borders[0].sum()), 0, int(borders[1].sum()), 0, float("nan"))
    of_true = distance_transform_edt(~borders[1])[borders[0]]
    of_predicted = distance_transform_edt(~borders[0])[borders[1]]
    near = [int(np.count_nonzero(distances <= tolerance)) for distances in (of_true, of_predicted)]
    distance = float(np.median(np.concatenate((of_true, of_predicted))))
    return BoundaryScore(len(of_true), near[0], len(of_predicted), near[1], distance)
