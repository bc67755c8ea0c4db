"""Networks of Cellpose 4 with weights made by hand, which find objects: no training, and no official weights.

`blob_finder` finds bright blobs in any channel: a convolution makes a smoothed image (probability) and its gradient
(flows). `reader` takes its three channels as y flow, x flow and probability.

Tokens hold the pixels of their patch, channel after channel, and large constants, with which the normalisations do not
change the pixels. Attention and the layers after it have small random weights, so that they change the outputs, but not
the objects.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cellspan.core.models.transformer import Transformer, unfolding

PATCH, NECK = 8, 256
PIXELS, OUTPUTS = PATCH**2, 3 * PATCH**2
CONSTANTS = slice(OUTPUTS, OUTPUTS + PIXELS)  # among the numbers of a token, after its pixels or, later, its outputs
LARGE = 50.0
SCALE = 2 / LARGE  # what a normalisation multiplies with: a quarter of the numbers are +-LARGE
SMALL = Transformer(channels=3, outputs=3, patch=PATCH, side=8, width=256, head=64, hidden=64, neck=NECK, rows=(5, 15))
OFFICIAL_ROWS = tuple(127 if number % 6 == 5 else 27 for number in range(24))
OFFICIAL = Transformer(
    channels=3, outputs=3, patch=PATCH, side=32, width=1024, head=64, hidden=4096, neck=NECK, rows=OFFICIAL_ROWS
)
State = dict[str, np.ndarray]


def blob_finder(sizes: Transformer = SMALL, seed: int = 0) -> State:
    """Name -> array of a network that finds bright blobs."""
    offsets = np.arange(-PATCH, PATCH + 1)
    blurred = [np.exp(-(offsets**2) / (2 * sigma**2)) for sigma in (4.0, 1.5)]
    wide, narrow = (np.outer(line, line) / line.sum() ** 2 for line in blurred)
    kernels = (100 / 16 * wide * offsets[:, None], 100 / 16 * wide * offsets, 12 * narrow)
    return _network(sizes, np.stack([kernels] * 3, axis=1), (0, 0, -3), seed)


def reader(sizes: Transformer = SMALL, seed: int = 0) -> State:
    """Name -> array of a network that reads flows and probability; 0.5 in a channel is 0."""
    kernels = np.zeros((3, 3, 2 * PATCH + 1, 2 * PATCH + 1))
    kernels[range(3), range(3), PATCH, PATCH] = 10, 10, 20
    return _network(sizes, kernels, (-5, -5, -10), seed)


def save_blob_finder(path: Path, sizes: Transformer = SMALL, seed: int = 0) -> Path:
    """A checkpoint as Cellpose 4 saves it. Needs torch."""
    return save_state(path, blob_finder(sizes, seed))


def save_state(path: Path, state: State) -> Path:
    """The same for any state."""
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({name: torch.from_numpy(array) for name, array in state.items()}, path)
    return path


def _network(sizes: Transformer, kernels: np.ndarray, offsets: tuple[float, ...], seed: int) -> State:
    """Each output is the sum of its kernel (3, channels, 17, 17) over each channel, and an offset."""
    rng = np.random.default_rng(seed)
    state = {name: np.zeros(shape, np.float32) for name, shape in sizes.shapes.items()}
    for name, array in state.items():
        if "norm" in name or "neck.1" in name or "neck.3" in name:
            array[:] = name.endswith("weight")
        elif "rel_pos" in name:
            array[:] = rng.normal(0, 0.2, array.shape)
        elif "blocks" in name and name.endswith("weight"):
            array[:] = rng.normal(0, 0.004, array.shape)
    for number in range(OUTPUTS):
        channel, pixel = divmod(number, PIXELS)
        state["encoder.patch_embed.proj.weight"][number, channel, pixel // PATCH, pixel % PATCH] = 1
    state["encoder.patch_embed.proj.bias"][CONSTANTS] = np.tile([LARGE, -LARGE], PIXELS // 2)
    state["encoder.neck.0.weight"][range(NECK), range(NECK)] = 1
    state["encoder.neck.2.weight"][:] = _convolution(kernels)
    # The mean, which a normalisation takes away, is found in the constants again.
    state["out.weight"][range(OUTPUTS), range(OUTPUTS)] = 1 / SCALE
    state["out.weight"][:, CONSTANTS] = -1 / SCALE / PIXELS
    state["out.bias"][:] = np.repeat(offsets, PIXELS)
    state["W2"][:] = unfolding(3, PATCH)
    state["diam_mean"][:] = state["diam_labels"][:] = 30
    return state


def _convolution(kernels: np.ndarray) -> np.ndarray:
    """(NECK, NECK, 3, 3) over patches, which does what the kernels do over pixels."""
    weight = np.zeros((NECK, NECK, 3, 3))
    for output, channel, y, x in np.argwhere(kernels):
        value = kernels[output, channel, y, x]
        for pixel in range(PIXELS):
            row, column = pixel // PATCH + y - PATCH, pixel % PATCH + x - PATCH
            inside = channel * PIXELS + (row % PATCH) * PATCH + column % PATCH
            there = weight[output * PIXELS + pixel, :, row // PATCH + 1, column // PATCH + 1]
            there[inside] += value
            there[CONSTANTS] -= value / PIXELS
    for k in range(OUTPUTS, NECK):
        weight[k, k, 1, 1] = 1
    return weight / SCALE
