"""Random crops: rotation, flip, scale, intensity, gamma, blur and noise, with the flows turned along."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cellspan.core.images import Floats
from cellspan.core.training.data import Field

SCALES = (0.6, 1.6)  # around the model's mean diameter


@dataclass(frozen=True)
class Crop:
    """One training example; all arrays (…, size, size)."""

    image: Floats  # (2, size, size)
    flows: Floats  # (2, size, size)
    foreground: Floats  # 0 or 1
    valid: Floats  # 0 where the crop reaches beyond the image


def random_crop(field: Field, size: int, rng: np.random.Generator) -> Crop:
    """A square crop of `size` pixels at a random place, angle, scale and brightness."""
    matrix, linear = _random_view(field, size, rng)
    image = np.stack([_warp(plane, matrix, size, border=cv2.BORDER_REFLECT_101) for plane in field.image])
    foreground = _warp((field.labels > 0).astype(np.float32), matrix, size, method=cv2.INTER_NEAREST)
    valid = _warp(np.ones(field.labels.shape, np.float32), matrix, size, method=cv2.INTER_NEAREST)
    warped = np.stack([_warp(plane, matrix, size) for plane in field.flows])
    flows = np.tensordot(linear, warped, axes=1).astype(np.float32) * foreground
    return Crop(_random_intensity(image, rng), flows, foreground, valid)


def _random_view(field: Field, size: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The affine map from field to crop in OpenCV's (x, y) order, and the turn it gives to flows in (y, x) order."""
    scale = np.exp(rng.uniform(*np.log(SCALES)))
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.random() < 0.5:
        turn = turn @ np.diag([-1.0, 1.0])
    # Around a pixel of some object, moved to where the whole crop fits into the field, if it fits at all.
    inside = np.flatnonzero(field.labels)
    pixel = np.unravel_index(inside[rng.integers(len(inside))], field.labels.shape)
    centre = np.empty(2)
    for axis, (side, position) in enumerate(zip(field.labels.shape[::-1], pixel[::-1], strict=True)):
        margin = min(size / scale / 2, side / 2)
        centre[axis] = np.clip(position + rng.uniform(-0.5, 0.5) * size / scale, margin, side - margin)
    matrix = np.empty((2, 3))
    matrix[:, :2] = scale * turn
    matrix[:, 2] = size / 2 - matrix[:, :2] @ centre
    return matrix, turn[::-1, ::-1]


def _warp(
    plane: Floats,
    matrix: NDArray[np.float64],
    size: int,
    method: int = cv2.INTER_LINEAR,
    border: int = cv2.BORDER_CONSTANT,
) -> Floats:
    return np.asarray(cv2.warpAffine(plane, matrix, (size, size), flags=method, borderMode=border), np.float32)


def _random_intensity(image: Floats, rng: np.random.Generator) -> Floats:
    """Other exposure, gamma, sharpness and noise; an empty channel stays empty."""
    result = image.copy()
    for plane in result:
        if not plane.any():
            continue
        gamma = np.exp(rng.uniform(-0.5, 0.5))
        plane[:] = np.sign(plane) * np.abs(plane) ** gamma
        plane[:] = plane * rng.uniform(0.6, 1.4) + rng.uniform(-0.1, 0.1)
        if rng.random() < 0.3:
            plane[:] = cv2.GaussianBlur(plane, (0, 0), rng.uniform(0.3, 1.5))
        if rng.random() < 0.5:
            plane += rng.normal(0, rng.uniform(0, 0.1), plane.shape).astype(np.float32)
    return result
