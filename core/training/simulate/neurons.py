"""Neurons: bodies with their first processes, and long, thin, branching neurites that cross those of neighbours."""

from __future__ import annotations

import cv2
import numpy as np

from cellspan.core.pictures.images import Floats
from cellspan.core.training.simulate.layers import other_layers
from cellspan.core.training.simulate.layout import Scene
from cellspan.core.training.simulate.light import cytoplasm, photographed, thickness, transmitted
from cellspan.core.training.simulate.shapes import COS, KIND, RADIAL, SIN, Values, X, Y
from cellspan.core.training.simulate.textures import blurred, spots
from cellspan.core.training.simulate.vessels import walk

STEPS = 60  # of the way of a neurite
PARTS = 3  # of a neurite, each thinner and dimmer than the one before
SUBPIXELS = 3  # bits of the coordinates behind the point


def neurons(scene: Scene, rng: np.random.Generator) -> Floats:
    """Neurons in fluorescence, seldom in phase contrast: grey values (Y, X).

    As annotators do, the labels hold bodies and the first part of processes; the rest of them is only to be seen.
    """
    processes = neurites(scene, rng)
    if rng.random() < 0.25:
        height = np.maximum(thickness(scene, rng), rng.uniform(0.2, 0.7) * processes)
        shift = (height - blurred(height, scene.diameter * float(rng.uniform(0.05, 0.3)))) * rng.uniform(0.8, 2.5)
        return transmitted(np.asarray(-np.sin(np.clip(shift, -2.5, 2.5)), np.float32), scene, rng)
    body = cytoplasm(scene, rng)
    light = np.maximum(body, rng.uniform(0.1, 0.9) * processes)
    if rng.random() < 0.4:  # processes over and under the focus
        light = light + rng.uniform(0.2, 1.0) * other_layers(processes, scene.diameter, rng)
    return photographed(np.asarray(light, np.float32), scene, rng)


def neurites(scene: Scene, rng: np.random.Generator) -> Floats:
    """Light of neurites (Y, X), 0 to about 1: they go on from the tips of arms, taper, branch and carry beads."""
    shape, diameter = scene.labels.shape, scene.diameter
    tips, headings = _tips(scene, rng)
    if not len(tips):
        return np.zeros(shape, np.float32)
    step = diameter * float(np.exp(rng.uniform(*np.log((0.03, 0.15)))))
    turning = rng.uniform(0.02, 0.18)
    trunks = walk(tips, headings, step, turning, STEPS, rng)
    chosen = rng.random(len(trunks)) < rng.uniform(0, 0.8)
    at = rng.integers(STEPS // 4, STEPS, len(trunks))
    branches = walk(
        trunks[np.arange(len(trunks)), at][chosen],
        (headings + rng.choice([-1, 1], len(headings)) * rng.uniform(0.4, 1.2, len(headings)))[chosen],
        step,
        turning,
        STEPS,
        rng,
    )
    picture = np.zeros(shape, np.uint8)
    width = max(1.0, diameter * float(np.exp(rng.uniform(*np.log((0.02, 0.1))))))
    for ways, thick in ((branches, 0.6 * width), (trunks, width)):
        _draw(picture, ways, thick, rng)
    light = blurred((picture / 255).astype(np.float32), float(rng.uniform(0.4, 0.02 * diameter + 0.5)))
    beads = spots(shape, rng.uniform(20, 200) / diameter**2, width * rng.uniform(1.2, 2.5), rng)
    return np.asarray(light * (1 + rng.uniform(0, 1.5) * np.minimum(beads, 1.5)), np.float32)


def _tips(scene: Scene, rng: np.random.Generator) -> tuple[Values, Values]:
    """Where neurites begin (m, 2), and in which direction (m,): at the ends of arms, or at bodies without arms."""
    rows, arms = scene.outlines.rows, scene.outlines.arms
    reach, bend = arms[:, :, 1], arms[:, :, 3]
    none = np.flatnonzero((rows[:, KIND] == RADIAL) | ~(reach > 0).any(axis=1))
    cosine, sine = np.cos(arms[:, :, 0]), np.sin(arms[:, :, 0])
    along, across = 0.7 * reach, 0.49 * reach * bend  # a little before the tip, where the arm is still bright
    u, v = cosine * along - sine * across, sine * along + cosine * across
    turn = arms[:, :, 0] + np.arctan(1.4 * bend) + np.arctan2(rows[:, SIN], rows[:, COS])[:, None]
    y = rows[:, Y, None] + rows[:, SIN, None] * u + rows[:, COS, None] * v
    x = rows[:, X, None] + rows[:, COS, None] * u - rows[:, SIN, None] * v
    there = reach > 0
    starts = np.concatenate((np.stack((y[there], x[there]), axis=1), rows[none][:, (Y, X)]))
    return starts, np.concatenate((turn[there], rng.uniform(0, 2 * np.pi, len(none))))


def _draw(picture: np.ndarray, ways: Values, width: float, rng: np.random.Generator) -> None:
    """Paint ways (n, STEPS, 2) of one colour each, thinner and dimmer towards their ends."""
    points = np.round(ways[:, :, ::-1] * 2**SUBPIXELS).astype(np.int32)
    shades = 255 * np.clip(np.exp(rng.normal(-0.5, 0.5, len(ways))), 0.1, 1)
    length = STEPS // PARTS
    for part in reversed(range(PARTS)):
        thick = max(1, round(width * (1 - 0.3 * part)))
        for way, shade in zip(points, shades, strict=True):
            piece = way[part * length : (part + 1) * length + 1]
            cv2.polylines(picture, [piece], False, float(shade * 0.75**part), thick, cv2.LINE_AA, SUBPIXELS)
