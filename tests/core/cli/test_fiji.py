"""`cellspan fiji-segment`: one line and exit code 0, whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import roifile
import tifffile

from cellspan.core.training.simulate import simulate_nuclei

pytestmark = pytest.mark.end_to_end


def test_rois_and_labels(tmp_path: Path, engine_home: Path, cellspan: Callable) -> None:
    image, rois, labels = tmp_path / "größe 1.tif", tmp_path / "r o i.zip", tmp_path / "l.tif"
    tifffile.imwrite(image, simulate_nuclei((128, 128)).image)
    done = cellspan("fiji-segment", "--input", image, "--rois", rois, "--labels", labels, "--model", "nuclei")
    count = int(tifffile.imread(labels).max())
    assert done.stdout == f"OK {count} {rois}\n"
    assert len(roifile.roiread(rois)) == count > 0


@pytest.mark.parametrize(
    "options",
    [
        ["--model", "nuclej"],
        ["--diameter", "-3"],
        ["--diametre", "3"],
        ["--input", "missing.tif"],
        ["--input", "notes.txt"],
        ["--model", "nuclei"],
    ],
)
def test_errors_are_one_line(tmp_path: Path, engine_home: Path, cellspan: Callable, options: list[str]) -> None:
    image = tmp_path / "nan.tif"
    tifffile.imwrite(image, np.full((9, 9), np.nan, np.float32))
    done = cellspan("fiji-segment", "--input", image, "--rois", tmp_path / "r.zip", *options)
    assert done.stdout.startswith("ERROR ")
    assert done.stdout.count("\n") == 1
    assert not (tmp_path / "r.zip").exists()
