"""Sheets of simulated fields, to look at: `python -m cellspan.core.training.simulate.sheet SHEET.png [LOOK ...]`.

Without looks they are drawn at random; otherwise each look has a row.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cellspan.core.files.writing import write_atomically
from cellspan.core.objects.outlines import draw_outlines
from cellspan.core.training.simulate.cells import simulate_cells
from cellspan.core.training.simulate.field import SimulatedField

SIDE = 132  # pixels of one field
SHADES = 16  # of grey: noise makes large files


def sheet(rows: int = 5, columns: int = 8, first: int = 0, look: str | None = None) -> NDArray[np.uint8]:
    """Fields in a grid, RGB (Y, X, 3); every second column with the true outlines."""
    lines = []
    for row in range(rows):
        line = []
        for column in range(columns):
            seed = first + row * columns + column
            diameter = float(np.random.default_rng(seed).uniform(12, 34))
            line.append(tile(simulate_cells((SIDE, SIDE), diameter, seed, look), column % 2 == 1))
        lines.append(np.hstack(line))
    return np.vstack(lines)


def sheet_of(looks: Sequence[str], columns: int = 6) -> NDArray[np.uint8]:
    """A row of fields for each look, RGB (Y, X, 3), with its name."""
    rows = []
    for number, look in enumerate(looks):
        row = np.ascontiguousarray(sheet(1, columns, 100 + number * columns, look))
        cv2.putText(row, look, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(row, look, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 230, 0), 1, cv2.LINE_AA)
        rows.append(row)
    return np.vstack(rows)


def tile(field: SimulatedField, outlined: bool) -> NDArray[np.uint8]:
    """Grey, with the nuclei in blue if there is a channel of nuclei."""
    grey, nuclei = (_stretched(plane) for plane in field.image)
    picture = np.stack((grey, grey, np.maximum(grey, nuclei)), axis=-1)
    if outlined:
        draw_outlines(picture, field.labels)
    picture[0], picture[:, 0] = 90, 90
    return np.asarray(picture, np.uint8)


def _stretched(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = np.percentile(plane, (0.5, 99.7))
    shade = np.round(np.clip((plane - low) / max(high - low, 1e-6), 0, 1) * (SHADES - 1))
    return np.asarray(shade * (255 / (SHADES - 1)), np.uint8)


def write_sheet(path: Path, rows: int = 5, columns: int = 8, looks: Sequence[str] = ()) -> None:
    """Write a sheet as PNG; with `looks`, a row of each instead."""
    picture = cv2.cvtColor(sheet_of(looks) if looks else sheet(rows, columns), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    write_atomically(path, lambda part: part.write_bytes(data.tobytes()))


if __name__ == "__main__":
    write_sheet(Path(sys.argv[1] if len(sys.argv) > 1 else "simulator_sheet.png"), looks=sys.argv[2:])
