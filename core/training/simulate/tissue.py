"""Looks of thick tissue: cells in bright neuropil, packed cells with uneven membranes, nuclei in several layers."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from scipy.special import expit

from cellspan.core.pictures.images import Floats
from cellspan.core.training.simulate.layers import layered, other_layers, out_of_focus, without
from cellspan.core.training.simulate.layout import BLURRED_AWAY, Scene
from cellspan.core.training.simulate.light import (
    chromatin,
    count,
    cytoplasm,
    dome,
    membranes,
    per_cell,
)
from cellspan.core.training.simulate.optics import fluorescence_camera
from cellspan.core.training.simulate.textures import blurred, noise, rough_noise, spots
from cellspan.core.training.simulate.vessels import vessels


def in_neuropil(scene: Scene, rng: np.random.Generator) -> Scene:
    """Cells of a thick tissue: some out of focus, none in vessels."""
    scene = out_of_focus(scene, rng.uniform(0.1, 0.6), rng)
    ways = vessels(scene.labels.shape, scene.diameter, rng)
    return without(replace(scene, vessels=ways), ways)


def two_photon(scene: Scene, rng: np.random.Generator) -> Floats:
    """Dim discs and rings in bright neuropil, as calcium indicators show neurons: grey values (Y, X).

    Most cells are little brighter than what surrounds them, a few are active and much brighter, and in half of the
    fields some hold less indicator than the neuropil: grey holes in it, with or without a faint rim.
    """
    tissue = _neuropil(scene, rng)
    contrast = np.exp(rng.uniform(*np.log((0.1, 1.2)))) * np.exp(rng.normal(0, rng.uniform(0.2, 0.7), count(scene)))
    active = rng.random(count(scene)) < rng.uniform(0, 0.15)
    contrast = np.minimum(np.maximum(contrast, 0.1) * np.where(active, rng.uniform(2, 6), 1), 8)
    grey = ~active & (rng.random(count(scene)) < rng.choice([0.0, rng.uniform(0.1, 0.7)]))
    contrast = np.where(grey, rng.choice([0.0, 0.15]), contrast)
    light = scene.of_cell(per_cell(scene, contrast)) * _discs_and_rings(scene, rng)
    cells = layered(scene, np.asarray(light, np.float32), per_cell(scene, 0.0), rng)
    # Cells take the place of neuropil; nuclei, and blood in small vessels, are dark holes in it.
    hole = rng.uniform(0.0, 0.8) * blurred(_absent(scene, rng), 0.06 * scene.diameter)
    darkness = scene.of_cell(
        per_cell(scene, grey * rng.uniform(0.12, 0.45, count(scene)) * (scene.depth[1:] < BLURRED_AWAY))
    )
    hole = np.maximum(hole, blurred(darkness, 0.04 * scene.diameter))
    image = tissue * (1 - hole) + cells
    if rng.random() < 0.7:
        image = image + rng.uniform(0.1, 0.5) * other_layers(np.asarray(light, np.float32), scene.diameter, rng)
    if scene.vessels is not None:
        image = image * (1 - rng.uniform(0.5, 0.95) * scene.vessels)
        rim = np.maximum(blurred(scene.vessels, 0.2 * scene.diameter) - scene.vessels, 0)
        image = image + rng.uniform(0, 2.0) * rim * tissue
    image = blurred(np.asarray(image, np.float32), float(rng.uniform(0.3, 0.05 * scene.diameter + 0.5)))
    return _scanned(image, scene, rng)


def _neuropil(scene: Scene, rng: np.random.Generator) -> Floats:
    """The bright ground (Y, X), about 1: dendrites and axons cut across, in grains of several sizes."""
    shape, diameter = scene.labels.shape, scene.diameter
    grains = rng.uniform(0.02, 0.25) * rough_noise(shape, diameter * rng.uniform(0.3, 1.0), rng)
    fine = rng.uniform(0.0, 0.2) * noise(shape, max(1.5, 0.12 * diameter), rng)
    wide = rng.uniform(0.0, 0.6) * noise(shape, diameter * rng.uniform(3, 10), rng)
    boutons = rng.uniform(0, 0.7) * spots(shape, rng.uniform(0.1, 3) / diameter**2, max(1.5, 0.12 * diameter), rng)
    return np.asarray(np.maximum(1 + grains + fine + wide, 0.1) + boutons, np.float32) * np.float32(rng.uniform(0.2, 1))


def _discs_and_rings(scene: Scene, rng: np.random.Generator) -> Floats:
    """Bodies (Y, X), about 1: filled, or with a dark nucleus that leaves a ring; in most fields both occur."""
    rings = rng.random(count(scene)) < rng.choice([0.0, 0.3, 0.8, 1.0])
    depth = scene.edge / np.maximum(scene.of_cell(scene.radius), 1)  # 0 at the outline, 1 in the middle
    wall = rng.uniform(0.25, 0.55)
    middle = expit((depth - wall) / 0.08)
    dark = scene.of_cell(per_cell(scene, rings * rng.uniform(0.6, 1.0, count(scene)))) * middle
    filled = 0.7 + 0.3 * dome(scene, rng.uniform(0.3, 1.0))
    patchy = np.maximum(1 + rng.uniform(0, 0.5) * noise(scene.labels.shape, 0.4 * scene.diameter, rng), 0.2)
    return np.asarray(np.where(scene.labels > 0, filled * (1 - dark) * patchy, 0), np.float32)


def _absent(scene: Scene, rng: np.random.Generator) -> Floats:
    """Where dark things lie (Y, X): nuclei of cells, and elsewhere vessels that are cut across."""
    nuclei = (scene.nuclei > 0).astype(np.float32)
    moved = np.roll(cv2.flip(nuclei, -1), rng.integers(0, min(nuclei.shape), 2), (0, 1))
    return np.asarray(np.where(scene.labels > 0, nuclei, moved * (rng.random() < 0.3)), np.float32)


def _scanned(image: Floats, scene: Scene, rng: np.random.Generator) -> Floats:
    """Grey values of a scanning microscope: few photons a pixel, then an average over frames that may move."""
    grey = fluorescence_camera(image, rng, background=(-2.5, -1.0), photons=(0.9, 3.4))
    if rng.random() < 0.5:
        grey = blurred(grey, float(rng.uniform(0.5, 0.08 * scene.diameter + 0.5)))
    return grey


def packed(scene: Scene, rng: np.random.Generator) -> Floats:
    """A membrane stain of packed small cells, strong in some and absent in others, blurred: grey values (Y, X)."""
    shape, diameter = scene.labels.shape, scene.diameter
    strength = np.exp(rng.normal(0, rng.uniform(0.2, 0.9), count(scene)))
    strength *= rng.random(count(scene)) < rng.uniform(0.6, 1.0)
    uneven = np.maximum(1 + rng.uniform(0.2, 0.9) * noise(shape, diameter * rng.uniform(0.5, 5), rng), 0.03)
    wide = blurred(membranes(scene, rng), diameter * float(rng.uniform(0.02, 0.08)))
    inside = rng.uniform(0.1, 1.0) * cytoplasm(scene, rng, nuclei_too=rng.random() < 0.5, widest=0.4)
    light = (wide + inside) * (scene.of_cell(per_cell(scene, strength)) + rng.uniform(0.05, 0.8)) * uneven
    light = np.asarray(light, np.float32)
    image = light + rng.uniform(0.3, 1.3) * other_layers(light, diameter, rng)
    # Tissue that is of no cell, in wide patches.
    ground = np.maximum(0.6 + rough_noise(shape, diameter * rng.uniform(0.5, 5), rng), 0)
    image = image + rng.uniform(0, 0.5) * float(light.mean()) * blurred(np.asarray(ground, np.float32), 0.1 * diameter)
    image = blurred(np.asarray(image, np.float32), float(rng.uniform(0.3, 0.05 * diameter + 0.4)))
    image = np.minimum(image, float(np.quantile(image[::4, ::4], rng.uniform(0.97, 1))))
    return fluorescence_camera(image, rng, background=(-2.0, -0.2), photons=(1.2, 3.0))


def in_layers(scene: Scene, rng: np.random.Generator) -> Scene:
    """Objects of a thick slice, of which the lower ones are out of focus."""
    return out_of_focus(scene, rng.uniform(0.05, 0.5), rng)


def thick_nuclei(scene: Scene, rng: np.random.Generator) -> Floats:
    """Nuclei of several layers at once: overlapping, hazy, some far out of focus and not annotated: grey values."""
    light = chromatin(scene, rng) * (1 - rng.uniform(0, 0.5) * (1 - dome(scene, rng.uniform(0.4, 1.2))))
    light = np.asarray(light, np.float32)
    through = per_cell(scene, np.exp(rng.normal(0, 0.3, count(scene))) * rng.uniform(0.3, 1.0))
    image = layered(scene, light, through, rng)
    confocal = rng.random() < 0.5
    image = image + rng.uniform(0.1, 0.5 if confocal else 1.0) * other_layers(light, scene.diameter, rng)
    if not confocal:  # widefield: the light of the whole thickness
        image = image + rng.uniform(0.3, 1.5) * blurred(image, scene.diameter * float(rng.uniform(0.4, 2.0)))
    image = blurred(np.asarray(image, np.float32), float(rng.uniform(0.5, 0.07 * scene.diameter + 0.6)))
    return fluorescence_camera(image, rng, photons=(0.9, 2.6) if confocal else (1.5, 3.4))
