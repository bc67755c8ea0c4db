"""Simulated fields of nuclei: warped, touching ellipses with texture, haze, blur and camera noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cellspan.core.objects.labels import Labels, renumber
from cellspan.core.pictures.images import Floats
from cellspan.core.training.simulate.field import SimulatedField

OFFSET, GAIN = 200.0, 12.0  # camera: grey values in the dark, grey values per photo-electron


def simulate_nuclei(
    shape: tuple[int, int] = (512, 512), diameter: float = 26.0, coverage: float = 0.2, seed: int = 0
) -> SimulatedField:
    """A fluorescence field: `coverage` is the fraction of the area under nuclei, `diameter` their median in pixels."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    light = np.zeros(shape, np.float32)
    count = round(coverage * shape[0] * shape[1] / (np.pi * diameter**2 / 4))
    for k in range(1, count + 1):
        _add_nucleus(labels, light, k, diameter, rng)
    light = _optics(light, diameter, rng)
    electrons = rng.poisson(np.maximum(light, 0) * 120)
    grey = OFFSET + GAIN * electrons + rng.normal(0, 20, shape)
    return SimulatedField(np.clip(grey, 0, 65535).astype(np.uint16), renumber(labels))


def _add_nucleus(labels: Labels, light: Floats, label: int, diameter: float, rng: np.random.Generator) -> None:
    """Paint one nucleus into free space; skip it if it would be mostly hidden."""
    centre = rng.uniform(0, labels.shape)
    radius = diameter / 2 * np.exp(rng.normal(0, 0.18))
    y, x = np.ogrid[: labels.shape[0], : labels.shape[1]]
    reach = int(2 * radius) + 2
    box = tuple(slice(max(0, int(c) - reach), int(c) + reach) for c in centre)
    dy, dx = y[box[0]] - centre[0], x[:, box[1]] - centre[1]
    inside = _shape(np.arctan2(dy, dx), radius, rng) > np.hypot(dy, dx)
    free = inside & (labels[box] == 0)
    if not inside.any() or free.sum() < 0.8 * inside.sum():
        return
    labels[box][free] = label
    texture = _blurred(rng.normal(0, 1, free.shape).astype(np.float32), max(1.0, radius / 6))
    texture /= max(float(texture.std()), 1e-6)
    light[box][free] += np.exp(rng.normal(0, 0.4)) * (1 + 0.2 * texture[free])


def _shape(angle: NDArray[np.float64], radius: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Radius at each angle: an ellipse with soft lobes."""
    ratio = rng.uniform(0.6, 1.0)
    turned = angle - rng.uniform(0, np.pi)
    border: NDArray[np.float64] = radius * np.sqrt(ratio) / np.hypot(ratio * np.cos(turned), np.sin(turned))
    for lobes in (2, 3, 4):
        border = border * (1 + rng.normal(0, 0.05) * np.cos(lobes * angle + rng.uniform(0, 2 * np.pi)))
    return border


def _optics(light: Floats, diameter: float, rng: np.random.Generator) -> Floats:
    """Out-of-focus haze, uneven illumination, and the blur of the objective."""
    haze = _blurred(light, diameter)
    y, x = np.ogrid[-1 : 1 : light.shape[0] * 1j, -1 : 1 : light.shape[1] * 1j]
    y0, x0 = rng.uniform(-0.5, 0.5, 2)
    illumination = 1 - 0.25 * ((y - y0) ** 2 + (x - x0) ** 2) / 2
    sharp = _blurred(light, 1.2)
    result: Floats = ((0.85 * sharp + 0.3 * haze + 0.05) * illumination).astype(np.float32)
    return result


def _blurred(light: Floats, sigma: float) -> Floats:
    return np.asarray(gaussian_filter(light, sigma, mode="mirror"), np.float32)
