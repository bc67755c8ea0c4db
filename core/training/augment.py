"""Random crops: rotation, flip, scale, brightness, sharpness, noise and contrast; flows are rotated too."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cellspan.core.pictures.images import Floats
from cellspan.core.training.data import Field

SCALE = 2.0  # at most this factor larger or smaller than the model's mean diameter, mostly much less
GENTLE_SCALES = (0.75, 1.25)  # as in Cellpose 4
WIDE = 5.0  # the same for crops that only train the size
ACROSS = 0.12  # probability that a crop looks like a slice across the planes of a stack
THICKNESS = (1.5, 6.0)  # pixels between the planes of such a stack
SPREAD = 3.0  # pixels: largest standard deviation of the light's spread along the depth
UNKNOWN = -1.0  # in the foreground of a crop
BEYOND = 32  # pixels by which a crop may reach beyond the border of the image, into black, as in inference


@dataclass(frozen=True)
class Crop:
    """One training example; all arrays (…, size, size)."""

    image: Floats  # (2, size, size)
    flows: Floats  # (2, size, size)
    foreground: Floats  # 0 or 1; UNKNOWN where nobody is sure
    magnification: float  # 1 = objects have the model's mean diameter; 0 = unknown, because there are none


@dataclass(frozen=True)
class Contrast:
    """Changes that do not suit every model: probabilities of some, and whether crops are changed at all but in place.

    Gentle crops are turned, mirrored and scaled a little, as Cellpose 4 trains; their light, sharpness and noise stay.
    """

    invert: float = 0.0  # probability of inverting the crop
    drop_nuclei: float = 0.3  # probability of dropping the channel of nuclei, if there is one
    gentle: bool = False


def random_crop(
    field: Field, size: int, rng: np.random.Generator, contrast: Contrast | None = None, wide: bool = False
) -> Crop:
    """A square crop of `size` pixels at a random position, angle, scale (`wide`: any), brightness and contrast."""
    contrast = contrast or Contrast()
    scale = float(np.exp(rng.uniform(-1, 1) * np.log(WIDE) if wide else rng.triangular(-1, 0, 1) * np.log(SCALE)))
    if contrast.gentle:
        scale = float(rng.uniform(*GENTLE_SCALES))
    matrix, linear = _random_view(field, size, scale, rng)
    image = np.stack([_warp(_softened(plane, scale), matrix, size) for plane in field.image])
    foreground = _warp((field.labels > 0).astype(np.float32), matrix, size, method=cv2.INTER_NEAREST)
    # Not interpolated: next to the background and to other objects, flows would become too short for the flow
    # threshold, especially in small objects, which are mostly rim.
    warped = np.stack([_warp(plane, matrix, size, method=cv2.INTER_NEAREST) for plane in field.flows])
    flows = np.tensordot(linear, warped, axes=1).astype(np.float32) * foreground
    if field.unsure is not None:
        foreground[_warp(field.unsure.astype(np.float32), matrix, size, method=cv2.INTER_NEAREST) > 0] = UNKNOWN
    image = _random_contrast(image if contrast.gentle else _random_intensity(image, rng), contrast, rng)
    if not (wide or contrast.gentle) and rng.random() < ACROSS:
        image = _across_planes(image, rng)
    # After the change of brightness, so that pixels beyond the border are black, as in inference.
    inside = _warp(np.ones(field.labels.shape, np.float32), matrix, size)
    return Crop(image * inside, flows, foreground, scale if field.diameter else 0.0)


def _random_view(
    field: Field, size: int, scale: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The affine map from field to crop in (x, y) order, as in OpenCV, and its rotation for flows in (y, x) order."""
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if rng.random() < 0.5:
        turn = turn @ np.diag([-1.0, 1.0])
    # Around a pixel of an object, moved so that most of the crop is inside the field, if the field is large enough.
    inside = np.flatnonzero(field.labels)
    chosen = inside[rng.integers(len(inside))] if len(inside) else rng.integers(field.labels.size)
    pixel = np.unravel_index(chosen, field.labels.shape)
    centre = np.empty(2)
    for axis, (side, position) in enumerate(zip(field.labels.shape[::-1], pixel[::-1], strict=True)):
        margin = min((size / 2 - BEYOND) / scale, side / 2)
        centre[axis] = np.clip(position + rng.uniform(-0.5, 0.5) * size / scale, margin, side - margin)
    matrix = np.empty((2, 3))
    matrix[:, :2] = scale * turn
    matrix[:, 2] = size / 2 - matrix[:, :2] @ centre
    return matrix, turn[::-1, ::-1]


def _softened(plane: Floats, scale: float) -> Floats:
    """Blur the image before shrinking, as `images.resize` averages in inference."""
    if scale >= 1:
        return plane
    # The standard deviation of an average over 1 / scale pixels, less that over one.
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), np.sqrt((scale**-2 - 1) / 12)), np.float32)


def _warp(plane: Floats, matrix: NDArray[np.float64], size: int, method: int = cv2.INTER_LINEAR) -> Floats:
    """The crop of one plane, 0 beyond its borders."""
    return np.asarray(cv2.warpAffine(plane, matrix, (size, size), flags=method), np.float32)


def _random_intensity(image: Floats, rng: np.random.Generator) -> Floats:
    """Change exposure, gamma, illumination, sharpness and noise; an empty channel stays empty."""
    result = image.copy()
    for plane in result:
        if not plane.any():
            continue
        gamma = np.exp(rng.uniform(-0.5, 0.5))
        plane[:] = np.sign(plane) * np.abs(plane) ** gamma
        plane[:] = plane * rng.uniform(0.6, 1.4) + rng.uniform(-0.1, 0.1)
        if rng.random() < 0.2:
            plane *= _tilt(plane.shape, rng)
        if rng.random() < 0.3:
            plane[:] = cv2.GaussianBlur(plane, (0, 0), rng.uniform(0.3, 1.5))
        if rng.random() < 0.5:
            plane += rng.uniform(0, 0.1) * rng.standard_normal(plane.shape, np.float32)
    return result


def _tilt(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Illumination (Y, X) that increases from one side to the other, around 1."""
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.4)
    y, x = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    return np.asarray(1 + strength * (np.sin(angle) * y + np.cos(angle) * x), np.float32)


def _across_planes(image: Floats, rng: np.random.Generator) -> Floats:
    """Imitate a stack seen from the side, in which each plane is a row a few pixels high.

    Light spreads along the depth, each plane has its own noise, and values between planes are interpolated. Outlines
    stay unchanged. Without such crops, nuclei above each other in a stack are joined.
    """
    depth, width = image.shape[1:]
    planes = max(2, round(depth / np.exp(rng.uniform(*np.log(THICKNESS)))))
    spread, noise = rng.uniform(0.5, SPREAD), rng.uniform(0, 0.1)
    result = np.zeros_like(image)
    for plane, seen in zip(image, result, strict=True):
        if plane.any():
            blurred = cv2.GaussianBlur(plane, (1, 0), sigmaX=0, sigmaY=spread)
            taken = cv2.resize(blurred, (width, planes), interpolation=cv2.INTER_LINEAR)
            taken += noise * rng.standard_normal(taken.shape, np.float32)
            seen[:] = cv2.resize(taken, (width, depth), interpolation=cv2.INTER_LINEAR)
    return result


def _random_contrast(image: Floats, contrast: Contrast, rng: np.random.Generator) -> Floats:
    """Sometimes invert the crop, and sometimes drop the channel of nuclei."""
    if rng.random() < contrast.invert:
        image[0] = 1 - image[0]
    if rng.random() < contrast.drop_nuclei:
        image[1] = 0
    return image
