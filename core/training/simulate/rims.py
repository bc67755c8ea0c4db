"""Spread cells in phase contrast: a thick body around the nucleus, in a rim that is hardly thicker than nothing."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from cellspan.core.pictures.images import Floats
from cellspan.core.training.simulate.layout import Scene
from cellspan.core.training.simulate.light import (
    away_from_nuclei,
    brightness,
    count,
    dome,
    membranes,
    near_nucleus,
    nuclei_with_nucleoli,
    per_cell,
    transmitted,
)
from cellspan.core.training.simulate.textures import blurred, noise, rough_noise, spots


def thin_rims(scene: Scene, rng: np.random.Generator) -> Floats:
    """Phase contrast of cells whose thin rims end in a fine line: grey values (Y, X).

    Annotators draw the rim as part of the cell, though the body stands out far more.
    """
    shape, diameter = scene.labels.shape, scene.diameter
    inside = (scene.labels > 0).astype(np.float32)
    body = _body(scene, rng)
    rim = blurred(inside, 0.01 * diameter + 0.3) * rng.uniform(0.08, 0.35)
    rim = rim * np.maximum(1 + rng.uniform(0, 0.4) * noise(shape, 0.4 * diameter, rng), 0.3)
    here_and_there = np.clip(0.8 + rng.uniform(0, 0.6) * noise(shape, 0.5 * diameter, rng), 0.2, 1.5)
    line = rng.uniform(0.1, 0.6) * membranes(scene, rng) * here_and_there
    height = rim + line + rng.uniform(0.5, 1.5) * body * brightness(scene, rng.uniform(0.05, 0.4), rng)
    grains = rough_noise(shape, max(1.5, diameter * rng.uniform(0.03, 0.1)), rng)
    dots = spots(shape, rng.uniform(10, 80) / diameter**2, max(1.5, diameter * rng.uniform(0.02, 0.06)), rng)
    stuff = rng.uniform(0, 0.15) * grains + rng.uniform(0, 0.8) * np.minimum(dots, 1.5)
    height = height + stuff * (0.15 + near_nucleus(scene, rng.uniform(0.08, 0.25))) * inside
    height = height + rng.uniform(-0.1, 0.6) * nuclei_with_nucleoli(scene, rng)
    reach = diameter * float(np.exp(rng.uniform(*np.log((0.03, 0.2)))))
    shift = height - blurred(np.asarray(height, np.float32), reach) * rng.uniform(0.4, 1.0)
    image = np.sin(np.clip(shift * np.exp(rng.uniform(*np.log((0.6, 2.0)))), -2.5, 2.5))
    if rng.random() < 0.5:  # drops and dust, sharp and far brighter or darker than cells
        drops = spots(shape, 0.2 / diameter**2, diameter * rng.uniform(0.05, 0.15), rng)
        image = image + rng.choice([-1, 1]) * rng.uniform(1, 3) * np.minimum(drops, 1)
    return transmitted(np.asarray(rng.choice([-1, 1]) * image, np.float32), scene, rng)


def _body(scene: Scene, rng: np.random.Generator) -> Floats:
    """Where cells are thick (Y, X), 0 to 1: around nuclei with an edge of its own; some cells are thick throughout."""
    diameter = scene.diameter
    wide = np.exp(rng.normal(0, 0.4, count(scene))) * diameter * rng.uniform(0.04, 0.25)
    whole = rng.random(count(scene)) < rng.uniform(0, 0.5)
    reach = scene.of_cell(per_cell(scene, np.where(whole, 4 * diameter, wide)))
    reach = reach * np.maximum(1 + 0.4 * noise(scene.labels.shape, 0.5 * diameter, rng), 0.2)
    soft = max(0.7, diameter * rng.uniform(0.01, 0.06))
    thick = expit((reach - away_from_nuclei(scene)) / soft)
    return np.asarray(thick * dome(scene, rng.uniform(0.1, 0.6)), np.float32)
