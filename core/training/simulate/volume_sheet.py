"""A figure of simulated stacks: `python -m cellspan.core.training.simulate.volume_sheet SHEET.png`."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cellspan.core.files.writing import write_atomically
from cellspan.core.results.volume_pictures import orthogonal_views
from cellspan.core.training.simulate.sheet import SHADES
from cellspan.core.training.simulate.volumes import KINDS, simulated_volume

SIDE, DEPTH = 150, 90  # pixels of one stack
ANISOTROPIES = (1.0, 3.0, 8.0)
SEEDS = (5, 3)  # two rows of each kind


def sheet() -> NDArray[np.uint8]:
    """Sections along three pairs of axes, RGB (Y, X, 3): kinds from top to bottom, anisotropies from left to right.

    Every second row has the true outlines.
    """
    rows = [
        np.hstack([_tile(seed, anisotropy, kind, row % 2 == 1) for anisotropy in ANISOTROPIES])
        for kind in KINDS
        for row, seed in enumerate(SEEDS)
    ]
    return np.vstack(rows)


def _tile(seed: int, anisotropy: float, kind: str, outlined: bool) -> NDArray[np.uint8]:
    image, labels = simulated_volume(seed, (round(DEPTH / anisotropy), SIDE, SIDE), anisotropy, 26, kind)
    image = _in_few_shades(image)
    views = orthogonal_views(image, labels if outlined else np.zeros_like(labels), anisotropy)
    whole = np.zeros((SIDE + DEPTH + 6, SIDE + DEPTH + 6, 3), np.uint8)
    whole[: len(views), : views.shape[1]] = views
    return whole


def _in_few_shades(image: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Fewer shades, because noise makes large files."""
    low, high = np.percentile(image, (1, 99.8))
    return np.asarray(np.clip((image - low) / (high - low), 0, 1) * (SHADES - 1), np.uint16)


def write_sheet(path: Path) -> None:
    """Write the figure as PNG."""
    picture = cv2.cvtColor(sheet(), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    write_atomically(path, lambda part: part.write_bytes(data.tobytes()))


if __name__ == "__main__":
    write_sheet(Path(sys.argv[1] if len(sys.argv) > 1 else "simulator_volumes.png"))
