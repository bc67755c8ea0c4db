"""Writes what was restored of an image as a file that ImageJ opens with all its channels, slices and frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import write_atomically


def write_restored(path: Path, frames: Sequence[Sequence[NDArray[np.float32]]]) -> None:
    """Write the restored channels (C, y, x) of every slice of every frame; raises CellspanError if their sizes differ.

    They differ if planes are enlarged for diameters that were estimated for each.
    """
    if len({plane.shape for frame in frames for plane in frame}) > 1:
        raise CellspanError(
            "The planes were enlarged by different factors, because their diameters were estimated; enter the diameter."
        )
    pixels = np.stack([np.stack(list(frame)) for frame in frames]).astype(np.float32)
    write_atomically(path, lambda part: tifffile.imwrite(part, pixels, imagej=True, metadata={"axes": "TZCYX"}))
