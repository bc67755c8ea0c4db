"""Random textures: soft noise, fibres, spots; float32 arrays (Y, X)."""

from __future__ import annotations

import cv2
import numpy as np

from cellspan.core.pictures.images import Floats

DIRECTIONS = 4  # of fibres, evenly over half a turn


def noise(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> Floats:
    """Noise of mean 0 and spread 1 whose grains are about `scale` pixels wide."""
    # Computed at low resolution and magnified: just as smooth, and many times faster than a wide blur.
    step = max(1.0, scale / 3)
    height, width = (int(np.ceil(side / step)) + 4 for side in shape)
    coarse = rng.standard_normal((height, width), np.float32)
    coarse = np.asarray(cv2.GaussianBlur(coarse, (0, 0), max(0.3, scale / step / 2.4)), np.float32)
    grains = cv2.resize(coarse, (round(width * step), round(height * step)), interpolation=cv2.INTER_CUBIC)
    y, x = (int(rng.integers(0, 1 + max(0, large - side))) for large, side in zip(grains.shape, shape, strict=True))
    return _standardised(grains[y : y + shape[0], x : x + shape[1]])


def rough_noise(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> Floats:
    """Noise with coarse and fine grains, as in most stains: each octave is half as wide and weaker."""
    total = noise(shape, scale, rng)
    for octave in (1, 2):
        if scale / 2**octave >= 1:
            total = total + 0.6**octave * noise(shape, scale / 2**octave, rng)
    return _standardised(total)


def fibres(shape: tuple[int, int], length: float, rng: np.random.Generator) -> Floats:
    """Fine parallel fibres, (DIRECTIONS, Y, X): one texture for each of the directions 0, 45, 90, 135 degrees."""
    half = (shape[0] // 2 + 1, shape[1] // 2 + 1)
    size = max(3, round(length / 2)) | 1
    centre = np.array([size // 2, size // 2], np.float64)
    result = np.empty((DIRECTIONS, *shape), np.float32)
    for k in range(DIRECTIONS):
        kernel = np.zeros((size, size), np.float32)
        angle = np.pi * k / DIRECTIONS
        arm = np.array([np.cos(angle), np.sin(angle)]) * (size // 2)
        ends = [tuple(int(value) for value in np.round(centre + sign * arm)) for sign in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0, 1)
        grain = cv2.filter2D(noise(half, 1.5, rng), -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)
        result[k] = _standardised(cv2.resize(grain, shape[::-1], interpolation=cv2.INTER_LINEAR))
    return result


def spots(shape: tuple[int, int], density: float, width: float, rng: np.random.Generator) -> Floats:
    """Round spots of about `width` pixels, `density` of them per pixel, with brightness 1 on average; 0 between."""
    field = np.zeros(shape, np.float32)
    count = rng.poisson(density * field.size)
    where = rng.integers(0, field.size, count)
    np.add.at(field.reshape(-1), where, np.exp(rng.normal(-0.2, 0.6, count)).astype(np.float32))
    sigma = max(0.4, width / 2.4)
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma) * (2 * np.pi * sigma**2), np.float32)


def blurred(plane: Floats, sigma: float) -> Floats:
    """Gaussian blur; wide blurs at a lower resolution, which is just as smooth and much faster."""
    if sigma < 0.2:
        return plane
    step = int(sigma // 4)
    if step < 2:
        return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.float32)
    height, width = plane.shape
    small = (max(1, width // step), max(1, height // step))
    coarse = cv2.GaussianBlur(cv2.resize(plane, small, interpolation=cv2.INTER_AREA), (0, 0), sigma / step)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _standardised(plane: object) -> Floats:
    values = np.asarray(plane, np.float32)
    values = values - values.mean()
    return np.asarray(values / max(float(values.std()), 1e-6), np.float32)
