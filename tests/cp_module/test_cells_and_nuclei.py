"""A real CellProfiler identifies cells and nuclei together, and its later modules work on what comes out."""

from __future__ import annotations

import csv
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

PIPELINE = Path(__file__).parent / "pipelines" / "cells_and_nuclei.cppipe"

pytestmark = [pytest.mark.end_to_end, pytest.mark.data]


def column(table: Path, name: str) -> list[float]:
    with table.open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file)]


def test_later_modules_work_on_cells_nuclei_and_cytoplasm(
    in_cellprofiler: Callable[..., subprocess.CompletedProcess[str]],
    plugin_folder: Path,
    engine_home: Path,
    shared_data: Path,
    tmp_path: Path,
) -> None:
    """Neighbours, intensity, secondary objects, relations, filter, tracking, spreadsheet, database, images."""
    images, output = shared_data / "cellprofiler_examples" / "human", tmp_path / "out"
    output.mkdir()
    arguments = ["-c", "-r", "-p", PIPELINE, "-i", images, "-o", output, "--plugins-directory", plugin_folder]
    done = in_cellprofiler("-m", "cellprofiler", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Failed" not in done.stderr, done.stderr

    numbers = column(output / "Cells.csv", "ObjectNumber")
    assert len(numbers) > 100
    assert column(output / "Nuclei.csv", "ObjectNumber")[: len(numbers)] == numbers
    assert column(output / "Cells.csv", "Parent_Nuclei") == numbers, "a cell has the number of its nucleus"
    assert set(column(output / "Cytoplasm.csv", "Parent_Cells")) <= set(numbers)
    assert max(column(output / "Cells.csv", "Neighbors_NumberOfNeighbors_Expanded")) > 2
    assert min(column(output / "Cytoplasm.csv", "Intensity_MeanIntensity_CellBody")) > 0
    grown = column(output / "Grown.csv", "Parent_Nuclei")
    assert len(grown) == len(column(output / "Nuclei.csv", "ObjectNumber"))
    assert 0 < len(column(output / "LargeCells.csv", "ObjectNumber")) < len(numbers)
    assert len(set(column(output / "Cells.csv", "TrackObjects_Label_50"))) == len(numbers)

    (labels,) = (tifffile.imread(path) for path in output.glob("*_CellLabels.tiff"))
    (probability,) = (tifffile.imread(path) for path in output.glob("*_Probability.tiff"))
    assert labels.max() == len(numbers)
    assert probability[labels > 0].mean() > 0.8
    frame = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    assert not frame.any(), "objects at the border are discarded"

    with sqlite3.connect(output / "cells.db") as database:
        (image,) = database.execute(
            "SELECT Image_Count_Cells, Image_Flow_Diameter_Cells, Image_Flow_Model_Nuclei, Image_Flow_Seconds_Cells "
            "FROM MyExpt_Per_Image"
        )
        assert image[:3] == (len(numbers), 45.0, "nuclei")
        assert image[3] > 0
        errors = database.execute("SELECT Cells_Flow_FlowError, Cells_Flow_MeanProbability FROM MyExpt_Per_Object")
        assert sum(error is not None and probable > 0 for error, probable in errors) == len(numbers)
        ((relations,),) = database.execute("SELECT count(*) FROM MyExpt_Per_Relationships")
        assert relations >= 3 * len(numbers) - 3
