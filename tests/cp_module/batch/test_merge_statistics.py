"""Statistics over all image sets are those of the whole run, not of its first part, or they are left out."""

from __future__ import annotations

import contextlib
import csv
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from cellspan.cp_module.batch.merge_statistics import correct_database, correct_table

pytestmark = pytest.mark.quick

THRESHOLDS = [0.25, 0.5, 0.125, float("nan"), 0.75]
FINITE = [0.25, 0.5, 0.125, 0.75]
PER_IMAGE = "ImageQuality_ThresholdOtsu_DNA_2W"
STATISTICS = {
    "ImageQuality_ThresholdMeanOtsu_DNA_2W": float(np.mean(FINITE)),
    "ImageQuality_ThresholdMedianOtsu_DNA_2W": float(np.median(FINITE)),
    "ImageQuality_ThresholdStdOtsu_DNA_2W": float(np.std(FINITE)),
}


def write(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """What CellProfiler wrote at the end of the first part."""
    rows = [["Key", "Value"], ["Run_Timestamp", "today"], *([key, "0.3"] for key in STATISTICS)]
    return write(tmp_path / "A_Experiment.csv", rows)


def read(path: Path) -> dict[str, str]:
    with path.open(newline="") as file:
        return {row[0]: row[1] for row in csv.reader(file)}


def test_the_table_of_the_experiment(experiment: Path) -> None:
    rows = [["ImageNumber", PER_IMAGE], *([str(index), str(value)] for index, value in enumerate(THRESHOLDS, 1))]
    images = write(experiment.with_name("A_Image.csv"), rows)
    assert correct_table(experiment, images) == []
    assert read(experiment) == {"Key": "Value", "Run_Timestamp": "today"} | {k: str(v) for k, v in STATISTICS.items()}


def test_without_the_thresholds_of_the_image_sets_they_are_left_out(experiment: Path) -> None:
    images = write(experiment.with_name("A_Image.csv"), [["ImageNumber"], ["1"]])
    notes = correct_table(experiment, images)
    assert len(notes) == 3
    assert notes[0].startswith("A_Experiment.csv: ImageQuality_ThresholdMeanOtsu_DNA_2W: it is left out")
    assert read(experiment) == {"Key": "Value", "Run_Timestamp": "today"}


def test_other_tables_stay_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path / "Experiment.csv", [["Key", "Value"], ["Metadata_GroupingTags", "[]"]])
    before = path.read_bytes()
    assert correct_table(path, tmp_path / "Image.csv") == []
    assert path.read_bytes() == before


@pytest.mark.parametrize("known", [True, False])
def test_the_database(tmp_path: Path, known: bool) -> None:
    path = tmp_path / "E.db"
    columns = ", ".join(f'"{name}" TEXT' for name in STATISTICS)
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute(f"CREATE TABLE My_Per_Experiment (Run_Timestamp TEXT, {columns})")
        database.execute("INSERT INTO My_Per_Experiment VALUES ('today', '0.3', '0.3', '0.3')")
        column = f"Image_{PER_IMAGE}" if known else "Image_Count_Nuclei"
        database.execute(f'CREATE TABLE My_Per_Image (ImageNumber INTEGER, "{column}" FLOAT)')
        database.executemany("INSERT INTO My_Per_Image VALUES (?, ?)", enumerate(THRESHOLDS, 1))
    notes = correct_database(path)
    with contextlib.closing(sqlite3.connect(path)) as database:
        (row,) = database.execute("SELECT * FROM My_Per_Experiment").fetchall()
    assert row == ("today", *(map(str, STATISTICS.values()) if known else (None, None, None)))
    assert len(notes) == (0 if known else 3)
