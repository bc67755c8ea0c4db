"""Cells over and under the focal plane: which are out of focus, and the light of layers, each with its blur."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from cellspan.core.pictures.images import Floats
from cellspan.core.training.simulate.layout import BLURRED_AWAY, Scene
from cellspan.core.training.simulate.shapes import Values
from cellspan.core.training.simulate.textures import blurred, noise

BLUR = 0.22  # diameters of blur (sigma) that each diameter out of focus brings
LEVELS = (0.12, 0.5, 1.6)  # diameters out of focus; cells between two of them are blurred alike


def out_of_focus(scene: Scene, share: float, rng: np.random.Generator) -> Scene:
    """The scene with some `share` of its cells too far from the focus to be drawn, and the others a little out of it.

    Lower cells are the deeper ones, so what hides a cell in focus is in focus too.
    """
    n = len(scene.depth) - 1
    order = np.arange(1, n + 1) / max(n, 1) + rng.normal(0, 0.1, n)
    near = np.minimum(np.abs(rng.normal(0, rng.uniform(0.02, 0.3), n)), 0.9 * BLURRED_AWAY)
    far = rng.uniform(1.6 * BLURRED_AWAY, 3.5, n)
    deep = np.argsort(np.argsort(order)) < round(share * n)
    return replace(scene, depth=np.concatenate(([0.0], np.where(deep, far, near))))


def without(scene: Scene, absent: Floats) -> Scene:
    """The scene without the cells whose middle lies where `absent` (Y, X) is more than a half."""
    covered = np.bincount(scene.labels.ravel(), absent.ravel() > 0.5, minlength=len(scene.depth))
    size = np.maximum(np.bincount(scene.labels.ravel(), minlength=len(scene.depth)), 1)
    gone = covered > 0.4 * size
    return replace(scene, depth=np.where(gone, np.inf, scene.depth))


def layered(scene: Scene, light: Floats, below: Values, rng: np.random.Generator) -> Floats:
    """Light (Y, X) of cells, each blurred by its depth; `below` (n + 1,) is how bright cells shine through others."""
    depth = np.where(np.isfinite(scene.depth), scene.depth, 0)
    present = np.isfinite(scene.depth)
    present[0] = False
    levels = np.searchsorted(LEVELS, depth, side="right")
    fading = rng.uniform(0.1, 0.8)  # light of deep cells is lost
    total = np.zeros(light.shape, np.float32)
    for level in range(len(LEVELS) + 1):
        chosen = present & (levels == level)
        if not chosen.any():
            continue
        mean = float(depth[chosen].mean())
        upper = np.where(chosen[scene.labels], light, 0)
        lower = np.where(chosen, below, 0)[scene.under]
        layer = np.asarray((upper + lower) * np.exp(-fading * mean), np.float32)
        total += blurred(layer, BLUR * mean * scene.diameter)
    return total


def other_layers(light: Floats, diameter: float, rng: np.random.Generator) -> Floats:
    """Unlabelled neighbours over and under (Y, X): the same kind of cells elsewhere, in one or two blurred layers."""
    total = np.zeros(light.shape, np.float32)
    for _ in range(int(rng.integers(1, 3))):
        moved = np.roll(cv2.flip(light, int(rng.integers(-1, 2))), rng.integers(0, min(light.shape), 2), (0, 1))
        uneven = np.maximum(1 + 0.6 * noise(light.shape, 4 * diameter, rng), 0)
        sigma = diameter * float(np.exp(rng.uniform(*np.log((0.12, 0.6)))))
        total += rng.uniform(0.15, 0.8) * blurred(np.asarray(moved * uneven, np.float32), sigma)
    return total
