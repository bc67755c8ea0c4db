"""Vessels and other dark, branching things between the cells of a tissue."""

from __future__ import annotations

import cv2
import numpy as np

from cellspan.core.pictures.images import Floats
from cellspan.core.training.simulate.shapes import Values
from cellspan.core.training.simulate.textures import blurred, spots

STEPS = 24  # of the way of a vessel


def vessels(shape: tuple[int, int], diameter: float, rng: np.random.Generator) -> Floats:
    """Where vessels are (Y, X), 0 to 1 with soft walls: up to three trees of branches, and some seen end-on."""
    mask = np.zeros(shape, np.uint8)
    for _ in range(int(rng.integers(0, 4))):
        start, heading = rng.uniform(0, 1, 2) * shape, rng.uniform(0, 2 * np.pi)
        _grow(mask, start, heading, diameter * float(np.exp(rng.uniform(*np.log((0.3, 3.0))))), diameter, rng)
    edges = blurred((mask / 255).astype(np.float32), diameter * float(rng.uniform(0.03, 0.12)))
    if rng.random() < 0.4:
        round_ones = spots(shape, 0.01 / diameter**2, diameter * rng.uniform(0.5, 2.0), rng)
        edges = np.maximum(edges, np.minimum(1.5 * round_ones, 1))
    return np.asarray(edges, np.float32)


def walk(start: Values, heading: Values, step: float, turning: float, steps: int, rng: np.random.Generator) -> Values:
    """Ways (n, steps, 2) in y and x that begin at `start` (n, 2) and wander, `turning` radians a step."""
    turns = rng.normal(0, turning, (len(start), steps))
    directions = heading[:, None] + np.cumsum(turns, axis=1)
    moves = step * np.stack((np.sin(directions), np.cos(directions)), axis=-1)
    return np.asarray(start[:, None] + np.concatenate((0 * moves[:, :1], np.cumsum(moves[:, :-1], axis=1)), axis=1))


def _grow(
    mask: np.ndarray, start: Values, heading: float, width: float, diameter: float, rng: np.random.Generator
) -> None:
    """Paint a vessel and, narrower, its branches."""
    way = walk(start[None], np.array([heading]), 1.2 * diameter + 2, 0.25, STEPS, rng)[0]
    cv2.polylines(mask, [way[:, ::-1].astype(np.int32)], False, 255, max(1, round(width)), cv2.LINE_AA)
    narrower = 0.6 * width
    if narrower < 0.15 * diameter + 1:
        return
    for at in rng.integers(1, STEPS, int(rng.integers(0, 3))):
        side = heading + rng.choice([-1, 1]) * rng.uniform(0.5, 1.3)
        _grow(mask, way[at], side, narrower, diameter, rng)
