"""Estimates the object diameter of an image from the network's style vector (Stringer et al. 2021, "Size model")."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.models.registry import SizeModel

RIDGE = 1.0
LARGEST_ENLARGEMENT = 16  # factor; a diameter that needs more must be a mistake


def magnification(mean_diameter: float, diameter: float) -> float:
    """The factor that rescales objects to the model's mean diameter; raises CellspanError."""
    factor = mean_diameter / diameter
    if factor > LARGEST_ENLARGEMENT:
        raise CellspanError(
            f"diameter = {diameter:g} pixels is too small for this model: the image would have to be enlarged "
            f"{factor:.0f} times; give the diameter in pixels of the image, or enlarge the image first."
        )
    return factor


def diameter_from_style(style: NDArray[np.float32], model: SizeModel) -> float:
    """Diameter in pixels of the image that gave this style (at the resolution the network saw)."""
    logarithm = model.intercept + float(np.dot(model.coefficients, style))
    return float(np.clip(np.exp(logarithm), model.smallest, model.largest))


def fit_size_model(styles: NDArray[np.float32], diameters: NDArray[np.float64]) -> SizeModel:
    """Ridge regression of log diameters (n,) on styles (n, 64)."""
    target = np.log(diameters)
    mean = styles.mean(0)
    centred = (styles - mean).astype(np.float64)
    # Styles have unit length; RIDGE is relative to the mean variance of their components.
    penalty = RIDGE * 1e-3 * np.trace(centred.T @ centred) / styles.shape[1]
    gram = centred.T @ centred + penalty * np.eye(styles.shape[1])
    coefficients = np.linalg.solve(gram, centred.T @ (target - target.mean()))
    intercept = target.mean() - coefficients @ mean
    return SizeModel(
        coefficients=[float(value) for value in coefficients],
        intercept=float(intercept),
        smallest=float(diameters.min()),
        largest=float(diameters.max()),
    )
