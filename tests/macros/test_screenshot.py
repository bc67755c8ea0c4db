"""What a person sees after Segment Cells; CELLSPAN_SCREENSHOTS names a folder in which the picture is kept."""

from __future__ import annotations

import os
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

from cellspan.core.training.simulate import simulate_nuclei

pytestmark = pytest.mark.end_to_end

PROGRAMS = Path(__file__).parent / "programs"


def test_outlines_are_to_be_seen(imagej, engine_home: Path, tmp_path: Path) -> None:
    folder = Path(os.environ.get("CELLSPAN_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    image, picture = tmp_path / "cells.tif", folder / "fiji.png"
    tifffile.imwrite(image, simulate_nuclei((400, 400), diameter=26, seed=5).image)
    printed = imagej.groovy(PROGRAMS / "screenshot.groovy", PROGRAMS, image, picture, display=True)
    count = int(printed.split()[-1])
    pixels = imageio.imread(picture)[..., :3]
    colours = {tuple(colour) for colour in np.unique(pixels[148:546, 6:404].reshape(-1, 3), axis=0)}
    coloured = {colour for colour in colours if len(set(colour)) > 1}
    assert count / 2 < len(coloured) < 3 * count  # the outlines of the image, which is grey
