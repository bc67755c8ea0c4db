"""Looks of cells in culture that are hard to tell apart: confluent, faint, in clumps, of unequal brightness, dim."""

from __future__ import annotations

import cv2
import numpy as np

from cellspan.core.pictures.images import Floats
from cellspan.core.training.simulate.fringes import fringed
from cellspan.core.training.simulate.layers import layered, other_layers, out_of_focus
from cellspan.core.training.simulate.layout import Scene
from cellspan.core.training.simulate.light import (
    brightness,
    count,
    cytoplasm,
    dome,
    glaring,
    grain,
    membranes,
    near_nucleus,
    nuclei_with_nucleoli,
    per_cell,
    photographed,
    thickness,
    transmitted,
)
from cellspan.core.training.simulate.optics import fluorescence_camera
from cellspan.core.training.simulate.shapes import Values
from cellspan.core.training.simulate.textures import blurred, noise, rough_noise, spots


def confluent(scene: Scene, rng: np.random.Generator) -> Floats:
    """Phase contrast of flat cells side by side, whose halos show on some of their sides only: grey values (Y, X)."""
    shape, diameter = scene.labels.shape, scene.diameter
    height = thickness(scene, rng)
    reach = diameter * float(np.exp(rng.uniform(*np.log((0.03, 0.2)))))
    halo = (height - blurred(height, reach) * rng.uniform(0.9, 1.05)) * _on_some_sides(scene, rng)
    inside = np.exp(rng.uniform(*np.log((0.02, 0.4)))) * (grain(scene, rng) - 1) * (scene.labels > 0)
    shift = halo * np.exp(rng.uniform(*np.log((0.4, 1.8)))) + inside
    if rng.random() < 0.3:  # cells that round up to divide, or let go, and are much brighter than the flat ones
        upright = rng.random(count(scene)) < rng.uniform(0.03, 0.15)
        shift = shift - rng.uniform(0.4, 1.6) * scene.of_cell(per_cell(scene, upright)) * dome(scene, 0.8)
    shift = shift + rng.uniform(-0.5, 0.5) * nuclei_with_nucleoli(scene, rng)
    image = -glaring(np.sin(np.clip(shift, -2.5, 2.5)), rng, 1.3) + rng.normal(0, 0.15) * blurred(
        height, 0.5 * diameter
    )
    if rng.random() < 0.5:  # bright debris and rounded cells that float above
        image = image + rng.uniform(0.5, 2) * spots(shape, 0.05 / diameter**2, diameter * rng.uniform(0.1, 0.4), rng)
    return transmitted(np.asarray(image, np.float32), scene, rng)


def _on_some_sides(scene: Scene, rng: np.random.Generator) -> Floats:
    """A factor (Y, X) of 0 to 1.3: how much of the halo there is, more on one side of cells and here and there."""
    shape, diameter = scene.labels.shape, scene.diameter
    tilt = noise(shape, diameter * rng.uniform(0.4, 1.5), rng)
    height = blurred(np.minimum(scene.edge, 0.3 * diameter), 0.05 * diameter + 0.5)
    turn = rng.uniform(0, 2 * np.pi)
    dy, dx = (cv2.Sobel(height, cv2.CV_32F, *order, ksize=3) / 8 for order in ((0, 1), (1, 0)))
    side = np.asarray(np.cos(turn) * dx + np.sin(turn) * dy, np.float32)
    least = rng.uniform(0.1, 0.5)  # else nobody could draw the outline
    return np.clip(0.5 + rng.uniform(0.2, 0.7) * tilt + rng.uniform(0, 0.8) * side, least, 1.3)


def faint(scene: Scene, rng: np.random.Generator) -> Floats:
    """Fluorescence of confluent flat cells, all about as bright, with seams that hardly show: grey values (Y, X)."""
    shape, diameter = scene.labels.shape, scene.diameter
    body = brightness(scene, rng.uniform(0.03, 0.3), rng) * (0.6 + 0.4 * grain(scene, rng))
    body = body * (1 - rng.uniform(0.1, 0.6) * (1 - dome(scene, rng.uniform(0.5, 1.5))))
    # Flat cells are thickest around the nucleus; thin rims are hardly brighter than the ground.
    thick = near_nucleus(scene, rng.uniform(0.08, 0.5))
    body = body * (1 + rng.uniform(0, 3) * thick) + _organelles(scene, rng)
    here_and_there = np.clip(0.5 + rng.uniform(0.3, 1.0) * noise(shape, diameter * rng.uniform(0.5, 2), rng), 0, 1.5)
    # A gap between two cells, or a fold where one lies over the other.
    seam = rng.choice([-1, -1, 1]) * rng.uniform(0.1, 0.6)
    body = body * np.maximum(1 + seam * membranes(scene, rng) * here_and_there, 0.05)
    body = np.where(scene.nuclei > 0, body * np.exp(rng.normal(-0.2, 0.4)), body)
    light = body + rng.uniform(0, 0.6) * per_cell(scene, 1.0)[scene.under]
    light = blurred(np.asarray(light, np.float32), diameter * float(rng.uniform(0.01, 0.06)))
    return photographed(light, scene, rng, photons=(1.4, 3.2))


def _organelles(scene: Scene, rng: np.random.Generator) -> Floats:
    """Bright grains in heaps beside nuclei (Y, X), as of the Golgi apparatus; in some fields there are none."""
    shape, diameter = scene.labels.shape, scene.diameter
    if rng.random() < 0.25:
        return np.zeros(shape, np.float32)
    grains = spots(shape, rng.uniform(20, 150) / diameter**2, max(1.5, diameter * rng.uniform(0.03, 0.1)), rng)
    heaps = np.maximum(noise(shape, diameter * rng.uniform(0.15, 0.4), rng), 0) * near_nucleus(scene, 0.2)
    return np.asarray(
        np.exp(rng.uniform(*np.log((0.3, 8.0)))) * np.minimum(grains, 2) * heaps * (scene.labels > 0), np.float32
    )


def at_many_depths(scene: Scene, rng: np.random.Generator) -> Scene:
    """Cells in clumps, some of them over or under the focus, and a few too far from it."""
    return out_of_focus(scene, rng.uniform(0.0, 0.3), rng)


def clumps(scene: Scene, rng: np.random.Generator) -> Floats:
    """Round cells on top of each other in different focus, in fluorescence or transmitted light: grey values (Y, X)."""
    if rng.random() < 0.3:
        focus = np.where(scene.depth > 0, scene.depth, 0) * rng.choice([-1, 1], len(scene.depth))
        return transmitted(fringed(scene, np.clip(1.5 * focus, -1, 1), rng), scene, rng)
    body = cytoplasm(scene, rng)
    if rng.random() < 0.4:
        body = np.asarray(0.5 * body + rng.uniform(0.5, 2) * membranes(scene, rng) * brightness(scene, 0.4, rng))
    through = per_cell(scene, np.exp(rng.normal(0, 0.4, count(scene))) * rng.uniform(0.2, 0.9))
    light = layered(scene, np.asarray(body, np.float32), through, rng)
    if rng.random() < 0.6:
        light = light + rng.uniform(0.1, 0.6) * other_layers(body, scene.diameter, rng)
    return photographed(np.asarray(light, np.float32), scene, rng)


def macrophages(scene: Scene, rng: np.random.Generator) -> Floats:
    """A weak stain of ruffled cells, little above the camera's noise: grey values (Y, X)."""
    shape, diameter = scene.labels.shape, scene.diameter
    body = brightness(scene, rng.uniform(0.2, 0.8), rng) * (0.5 + 0.5 * dome(scene, rng.uniform(0.5, 1.5)))
    folds = np.abs(rough_noise(shape, diameter * rng.uniform(0.1, 0.3), rng))
    body = body * (1 + rng.uniform(0.2, 1.2) * folds) * (0.4 + 0.6 * grain(scene, rng))
    ruffles = membranes(scene, rng) * np.maximum(noise(shape, diameter * rng.uniform(0.2, 0.6), rng), 0)
    body = body + rng.uniform(0, 1.5) * blurred(np.asarray(ruffles, np.float32), 0.02 * diameter)
    vacuoles = spots(shape, rng.uniform(5, 40) / diameter**2, diameter * rng.uniform(0.06, 0.16), rng)
    body = body * (1 - rng.uniform(0, 0.9) * np.minimum(vacuoles, 1))
    body = np.where(scene.nuclei > 0, body * rng.uniform(0.3, 1.2), body)
    light = np.asarray(body, np.float32) + rng.uniform(0.1, 0.8) * blurred(np.asarray(body, np.float32), diameter)
    light = blurred(np.asarray(light, np.float32), float(rng.uniform(0.5, 0.05 * diameter + 0.6)))
    return fluorescence_camera(light, rng, background=(-0.7, 0.4), photons=(0.7, 2.2))


def rings(scene: Scene, rng: np.random.Generator) -> Floats:
    """Crowds of small round cells stained around their nuclei, from dim to saturated: grey values (Y, X).

    Such are lymphocytes with a membrane stain, and bodies of neurons whose nuclei stay dark.
    """
    strength, limit = _strengths(scene, rng, (0.3, 1.0), (0.7, 1.0), (0.04, 0.2))
    if rng.random() < 0.6:
        wall = blurred(membranes(scene, rng), scene.diameter * float(rng.uniform(0.01, 0.06)))
        body = wall * rng.uniform(1.0, 2.5) + rng.uniform(0.05, 0.5) * cytoplasm(scene, rng, widest=0.3)
    else:
        body = cytoplasm(scene, rng, nuclei_too=False, widest=0.3)
        body = np.where(scene.nuclei > 0, body * rng.uniform(0.05, 0.5), body)
    light = np.asarray(body * scene.of_cell(per_cell(scene, strength)), np.float32)
    if rng.random() < 0.6:
        light = light + rng.uniform(0.05, 0.4) * other_layers(light, scene.diameter, rng)
    light = np.minimum(light, limit * rng.uniform(0.6, 2.0))
    return photographed(np.asarray(light, np.float32), scene, rng)


def unequal(scene: Scene, rng: np.random.Generator) -> Floats:
    """Cells of which some are many times brighter than their neighbours, up to saturation: grey values (Y, X)."""
    body = cytoplasm(scene, rng, widest=0.3)
    if rng.random() < 0.3:
        body = np.asarray(body + rng.uniform(0.5, 2) * membranes(scene, rng), np.float32)
    strength, limit = _strengths(scene, rng, (0.8, 1.5), (0.8, 1.0), (0.04, 0.15))
    light = np.minimum(body * scene.of_cell(per_cell(scene, strength)) / limit, 1.5)
    return photographed(np.asarray(light, np.float32), scene, rng, photons=(1.5, 3.2))


def _strengths(
    scene: Scene,
    rng: np.random.Generator,
    spread: tuple[float, float],
    bright: tuple[float, float],
    least: tuple[float, float],
) -> tuple[Values, float]:
    """Log-normal brightness of cells (n,), and that of a bright one; the arguments are ranges.

    `bright` is its quantile; no cell has less than `least` of its light, because an annotator sees no dimmer ones.
    """
    values = np.exp(rng.normal(0, rng.uniform(*spread), count(scene)))
    limit = float(np.quantile(values, rng.uniform(*bright))) if len(values) else 1.0
    return np.maximum(values, rng.uniform(*least) * limit), limit
