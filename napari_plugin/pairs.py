"""Training pairs from corrected layers: <name>_img.tif and <name>_masks.tif, as every door of cellspan writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.training.pair_files import write_pair
from cellspan.napari_plugin.stacks import Stack


def write_pairs(stack: Stack, labels: NDArray[Any], name: str, folder: Path) -> list[Path]:
    """Every plane that has objects as a pair; the images written. Raises ValueError with a sentence.

    An earlier pair of the same name and plane is replaced, because corrections go on.
    """
    if labels.shape != stack.shape:
        raise ValueError(f"The labels are {_size(labels.shape)}, but the image is {_size(stack.shape)}.")
    folder.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^\w.-]+", "_", name) or "image"
    return list(_written(stack, labels, folder / stem))


def _written(stack: Stack, labels: NDArray[Any], stem: Path) -> Iterator[Path]:
    for where, pixels in stack.planes():
        own = np.asarray(labels[where])
        if not own.any():
            continue
        place = "".join(f"_{step:04d}" for step in where)
        yield write_pair(stem.parent, f"{stem.name}{place}", pixels, stack.is_rgb, own)


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
