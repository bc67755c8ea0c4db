"""The network's outputs as images for later modules."""

from __future__ import annotations

import numpy as np


def probability_image(logits: np.ndarray) -> np.ndarray:
    """Logits of pixels or voxels -> probabilities from 0 to 1."""
    return (1 / (1 + np.exp(-np.clip(logits.astype(np.float32), -30, 30)))).astype(np.float32)


def flow_image(flows: np.ndarray) -> np.ndarray:
    """Flow field (2, Y, X) -> colours (Y, X, 3) from 0 to 1: the hue is the direction, the brightness the length.

    For volumes (3, Z, Y, X) or (2, Z, Y, X), the flow within the slices becomes (Z, Y, X, 3).
    """
    down, right = flows[-2:]
    length = np.clip(np.hypot(down, right), 0, 1)[..., None]
    angle = np.arctan2(down, right)[..., None]
    waves = 0.5 + 0.5 * np.cos(angle - np.array([0, 2, 4], np.float32) * np.pi / 3)
    return np.asarray(length * waves, np.float32)


def restored_plane(channels: np.ndarray) -> np.ndarray:
    """The engine's restored channels (C, Y, X) or (C, Z, Y, X) -> the first one, which is the input image."""
    return np.ascontiguousarray(channels[0], np.float32)
