"""Weights, made by hand, with which a network of Cellpose 4 finds bright blobs: no training, and no official weights.

Tokens hold the pixels of their patch, summed over the channels. The convolution of the neck makes them a smoothed image
(probability) and its gradient (flows). Large constants beside the pixels keep the normalisations from changing them.
Attention and the layers after it have small random weights, so that they change the outputs, but not the objects.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cellspan.core.models.transformer import Transformer, unfolding

PATCH, NECK = 8, 256
PIXELS, OUTPUTS = PATCH**2, 3 * PATCH**2
CONSTANTS = slice(PIXELS, 2 * PIXELS)  # among the numbers of a token; in the neck they come after the outputs
LARGE = 50.0
SCALE = 2 / LARGE  # what a normalisation multiplies with: a quarter of the neck's numbers are +-LARGE
SMALL = Transformer(channels=3, outputs=3, patch=PATCH, side=8, width=128, head=32, hidden=64, neck=NECK, rows=(5, 15))
OFFICIAL_ROWS = tuple(127 if number % 6 == 5 else 27 for number in range(24))
OFFICIAL = Transformer(
    channels=3, outputs=3, patch=PATCH, side=32, width=1024, head=64, hidden=4096, neck=NECK, rows=OFFICIAL_ROWS
)


def blob_finder(sizes: Transformer = SMALL, seed: int = 0) -> dict[str, np.ndarray]:
    """Name -> array of a network of these sizes."""
    rng = np.random.default_rng(seed)
    state = {name: np.zeros(shape, np.float32) for name, shape in sizes.shapes.items()}
    for name, array in state.items():
        if "norm" in name or "neck.1" in name or "neck.3" in name:
            array[:] = name.endswith("weight")
        elif "rel_pos" in name:
            array[:] = rng.normal(0, 0.2, array.shape)
        elif "blocks" in name and name.endswith("weight"):
            array[:] = rng.normal(0, 0.004, array.shape)
    plus_and_minus = np.tile([LARGE, -LARGE], PIXELS // 2)
    for pixel in range(PIXELS):
        state["encoder.patch_embed.proj.weight"][pixel, :, pixel // PATCH, pixel % PATCH] = 1
    state["encoder.patch_embed.proj.bias"][CONSTANTS] = plus_and_minus
    keep = range(2 * PIXELS)
    state["encoder.neck.0.weight"][keep, keep] = 1
    state["encoder.neck.2.weight"][:] = _smoothing_and_gradients()
    # The mean, which a normalisation takes away, is found in the constants again.
    state["out.weight"][range(OUTPUTS), range(OUTPUTS)] = 1 / SCALE
    state["out.weight"][:, OUTPUTS:] = -1 / SCALE / PIXELS
    state["out.bias"][2 * PIXELS :] = -3
    state["W2"][:] = unfolding(3, PATCH)
    state["diam_mean"][:] = state["diam_labels"][:] = 30
    return state


def save_blob_finder(path: Path, sizes: Transformer = SMALL, seed: int = 0) -> Path:
    """A checkpoint as Cellpose 4 saves it. Needs torch."""
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({name: torch.from_numpy(array) for name, array in blob_finder(sizes, seed).items()}, path)
    return path


def _smoothing_and_gradients() -> np.ndarray:
    """(NECK, NECK, 3, 3): for each pixel of a patch the gradient along y and x and the smoothed image around it."""
    offsets = np.arange(-PATCH, PATCH + 1)
    blurred = [np.exp(-(offsets**2) / (2 * sigma**2)) for sigma in (4.0, 1.5)]
    wide, narrow = (np.outer(line, line) / line.sum() ** 2 for line in blurred)
    kernels = (100 / 16 * wide * offsets[:, None], 100 / 16 * wide * offsets, 12 * narrow)
    weight = np.zeros((NECK, NECK, 3, 3))
    for output, kernel in enumerate(kernels):
        for pixel in range(PIXELS):
            row = output * PIXELS + pixel
            for (dy, dx), value in np.ndenumerate(kernel):
                y, x = pixel // PATCH + offsets[dy], pixel % PATCH + offsets[dx]
                inside = (y % PATCH) * PATCH + x % PATCH
                there = weight[row, :, y // PATCH + 1, x // PATCH + 1]
                there[inside] += value
                there[CONSTANTS] -= value / PIXELS
    for k in range(PIXELS):
        weight[OUTPUTS + k, PIXELS + k, 1, 1] = 1
    return weight / SCALE
