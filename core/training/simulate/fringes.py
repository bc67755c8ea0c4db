"""Transmitted light at the edge of round cells, which turns bright, dark or both with the focus; and yeast."""

from __future__ import annotations

import cv2
import numpy as np

from cellspan.core.objects.labels import Labels
from cellspan.core.pictures.images import Floats
from cellspan.core.training.simulate.layout import Scene
from cellspan.core.training.simulate.light import count, dome, per_cell, transmitted
from cellspan.core.training.simulate.shapes import Values
from cellspan.core.training.simulate.textures import blurred, noise, rough_noise, spots


def yeast(scene: Scene, rng: np.random.Generator) -> Floats:
    """Yeast in bright field or phase contrast at any focus: grey values (Y, X)."""
    whole = rng.uniform(-1, 1)
    apart = rng.choice([0.0, 0.1, 0.4], p=[0.4, 0.4, 0.2])  # cells of one layer are about in the same focus
    focus = np.clip(whole + rng.normal(0, apart, count(scene)), -1, 1)
    return transmitted(fringed(scene, per_cell(scene, focus), rng), scene, rng)


def fringed(scene: Scene, focus: Values, rng: np.random.Generator) -> Floats:
    """Contrast (Y, X) of round cells; `focus` (n + 1,) from -1 to 1 makes their wall bright or dark.

    Next to the wall lies a ring of the opposite sign, inside or outside, and there may be a wide halo.
    """
    diameter = scene.diameter
    inside = scene.labels > 0
    away, owner = _outside(scene)
    signed = np.where(inside, scene.edge, -away)  # pixels into the cell
    level = focus[np.where(inside, scene.labels, owner)].astype(np.float32)
    wall, ring = max(0.8, diameter * rng.uniform(0.025, 0.08)), max(1.0, diameter * rng.uniform(0.04, 0.12))
    place = rng.uniform(-0.5, 2.0) * wall
    beside = place + rng.choice([-1, 1]) * (wall + ring) * rng.uniform(0.7, 1.3)
    first = np.exp(-(((signed - place) / wall) ** 2))
    second = np.exp(-(((signed - beside) / ring) ** 2))
    steady = rng.choice([-1, 0, 1]) * rng.uniform(0.2, 0.8)  # a wall that absorbs, or phase contrast
    image = (level + steady) * first - level * rng.uniform(0.3, 1.1) * second
    kind = rng.random()
    if kind < 0.5:
        width = diameter * float(np.exp(rng.uniform(*np.log((0.08, 0.4)))))
        image = image + rng.normal(0, 0.4) * np.exp(-away / width) * ~inside
    elif kind < 0.75:  # the glare of phase contrast, beside which all else is dark
        width = diameter * rng.uniform(0.04, 0.15)
        image = image + rng.uniform(0.8, 2.5) * np.exp(-((away / width) ** 2)) * ~inside
    image = image + _content(scene, level, rng) * inside
    return blurred(np.asarray(image, np.float32), float(rng.uniform(0.4, 0.04 * diameter + 0.5)))


def _content(scene: Scene, level: Floats, rng: np.random.Generator) -> Floats:
    """What is inside of cells (Y, X): grey, a lens in the middle, vacuoles with a rim, granules."""
    shape, diameter = scene.labels.shape, scene.diameter
    grey = rng.normal(0, 0.3) + rng.normal(0, 0.5) * level * dome(scene, rng.uniform(0.7, 1.5)) ** 2
    texture = rng.uniform(0, 0.2) * rough_noise(shape, diameter * rng.uniform(0.1, 0.4), rng)
    vacuole = blurred((scene.nuclei > 0).astype(np.float32), 0.03 * diameter + 0.4)
    rim = 4 * vacuole * (1 - vacuole)
    granules = spots(shape, rng.uniform(2, 20) / diameter**2, max(1.2, diameter * rng.uniform(0.04, 0.12)), rng)
    uneven = rng.uniform(0, 0.15) * noise(shape, diameter, rng)
    return np.asarray(
        grey
        + texture
        + uneven
        + rng.normal(0, 0.3) * vacuole
        + rng.normal(0, 0.3) * rim
        + rng.normal(0, 0.5) * np.minimum(granules, 1.5),
        np.float32,
    )


def _outside(scene: Scene) -> tuple[Floats, Labels]:
    """Pixels (Y, X) to the nearest cell, 0 within cells, and its label."""
    if not scene.labels.any():
        far = np.full(scene.labels.shape, float(max(scene.labels.shape)), np.float32)
        return far, np.zeros_like(scene.labels)
    free = (scene.labels == 0).astype(np.uint8)
    away, nearest = cv2.distanceTransformWithLabels(free, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(int(nearest.max()) + 1, np.int32)
    table[nearest[free == 0]] = scene.labels[free == 0]
    return np.asarray(away, np.float32), table[nearest]
