"""A real CellProfiler makes 3D objects of a real stack: the labels are those of `cellspan segment`."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

PIPELINE = Path(__file__).parent / "pipelines" / "volumes.cppipe"
STACK = Path("qcanet_embryo_3d") / "train" / "8_cell_stage_img.tif"
CELLS = 6  # that the bundled model finds of the embryo's 8
# the settings of both modules of PIPELINE that are not defaults; the slices are 2 pixels apart in NamesAndTypes
OPTIONS = ("--model", "nuclei", "--diameter", 30, "--min-size", 200, "--exclude-on-edges", "--device", "cpu")

pytestmark = [pytest.mark.end_to_end, pytest.mark.data]


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def column(table: Path, name: str) -> list[float]:
    return [float(row[name]) for row in rows(table)]


def test_a_stack_as_one_volume_and_slice_by_slice(
    run_pipeline: Callable[..., subprocess.CompletedProcess[str]],
    cellspan: Callable[..., subprocess.CompletedProcess[str]],
    shared_data: Path,
    tmp_path: Path,
) -> None:
    stack, output = shared_data / STACK, tmp_path / "out"
    done = run_pipeline(PIPELINE, stack.parent, output)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Failed" not in done.stderr, done.stderr

    ways = {"Nuclei": ("--do-3d", "--anisotropy", 2), "Joined": ("--stitch-threshold", 0.3)}
    for name, way in ways.items():
        folder = tmp_path / name
        cellspan("segment", stack, "-o", folder, "--save", "labels", *OPTIONS, *way)
        expected = tifffile.imread(folder / f"{stack.stem}_labels.tif")
        found = tifffile.imread(output / f"{stack.stem}_{name}.tiff")
        np.testing.assert_array_equal(found, expected, name)
        table = output / f"{name}.csv"
        assert column(table, "AreaShape_Volume") == np.bincount(expected.ravel())[1:].tolist()
        places = np.argwhere(expected == 1).mean(axis=0)
        first = [column(table, f"Location_Center_{axis}")[0] for axis in "ZYX"]
        np.testing.assert_allclose(first, places, rtol=1e-9)
        assert float(rows(output / "Image.csv")[0][f"Count_{name}"]) == expected.max()
    assert len(rows(output / "Nuclei.csv")) == CELLS
