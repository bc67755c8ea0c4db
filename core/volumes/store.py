"""Where the network's outputs for a whole grid are kept: in memory, or on disk if they would not fit."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np

CHUNK = 32  # grid voxels; thin slabs of slices are written along each axis
BYTES_AT_ONCE = 1_200_000_000  # of planes, image and outputs of the slices that are in memory at once
BYTES_PER_VOXEL = 24  # of a slab: image and planes (8), outputs (12), what is on disk already (4)


@contextlib.contextmanager
def output_store(shape: tuple[int, int, int], on_disk: bool) -> Iterator[Any]:
    """Zeros (4, Z, Y, X): float32 in memory, or float16 in a temporary folder of about 8 bytes a voxel at most.

    Flows are at most 1 and probabilities rarely above 16, so 16 bits keep them to a thousandth and to a hundredth.
    """
    if not on_disk:
        yield np.zeros((4, *shape), np.float32)
        return
    import zarr

    with tempfile.TemporaryDirectory(prefix="cellspan-volume-") as folder:
        chunks = (1, CHUNK, CHUNK, CHUNK)
        yield zarr.open_array(folder, mode="w", shape=(4, *shape), chunks=chunks, dtype="float16", fill_value=0)


def slab_thickness(shape: tuple[int, int, int]) -> int:
    """How many slices across any axis are worked on at once, a multiple of the chunks on disk if possible."""
    largest = shape[0] * shape[1] * shape[2] // min(shape)
    fitting = BYTES_AT_ONCE // (BYTES_PER_VOXEL * largest)
    return max(1, fitting // CHUNK * CHUNK or fitting)
