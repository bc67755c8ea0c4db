"""Statistics over all image sets, which CellProfiler calculates at the end of each part: again from the joined tables.

MeasureImageQuality stores the mean, median and standard deviation of its thresholds as measurements of the experiment.
"""

from __future__ import annotations

import contextlib
import csv
import re
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from cellspan.core.files.writing import write_atomically
from cellspan.cp_module.batch.merge_tables import EXPERIMENT
from cellspan.cp_module.batch.task import read_rows

STATISTIC = re.compile(r"^(ImageQuality_Threshold)(Mean|Median|Std)(.+)$")
FUNCTIONS: dict[str, Callable[[np.ndarray], np.floating]] = {"Mean": np.mean, "Median": np.median, "Std": np.std}
LEFT_OUT = "it is left out, because the table of image sets does not have the thresholds of all of them"


def correct_table(experiment: Path, images: Path, delimiter: str = ",") -> list[str]:
    """Calculate the statistics of the whole run in a table of the experiment; returns notes about what is left out."""
    rows = list(read_rows(experiment, delimiter))
    wanted = {row[0]: found for row in rows if row and (found := STATISTIC.match(row[0]))}
    if not wanted or rows[0] != EXPERIMENT:
        return []
    columns = _columns_of_table(images, {found[1] + found[3] for found in wanted.values()}, delimiter)
    values = {key: statistic(found[2], columns.get(found[1] + found[3], [])) for key, found in wanted.items()}
    kept = [[row[0], str(values[row[0]])] if row[:1] and row[0] in values else row for row in rows]
    kept = [row for row in kept if not (row and row[0] in values and values[row[0]] is None)]

    def write(part: Path) -> None:
        with part.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(kept)

    write_atomically(experiment, write)
    return [f"{experiment.name}: {key}: {LEFT_OUT}." for key, value in values.items() if value is None]


def statistic(name: str, texts: Iterable[str | float | None]) -> float | None:
    """The Mean, Median or Std of the finite values, as MeasureImageQuality calculates it; None without values."""
    numbers = np.array([float(text) for text in texts if text not in ("", None)], dtype=float)
    numbers = numbers[np.isfinite(numbers)]
    return float(FUNCTIONS[name](numbers)) if numbers.size else None


def _columns_of_table(path: Path, names: set[str], delimiter: str) -> dict[str, list[str]]:
    if not path.is_file():
        return {}
    rows = read_rows(path, delimiter)
    header = next(rows, [])
    places = {name: header.index(name) for name in names if name in header}
    columns: dict[str, list[str]] = {name: [] for name in places}
    for row in rows:
        for name, place in places.items():
            columns[name].append(row[place] if place < len(row) else "")
    return columns


def correct_database(path: Path) -> list[str]:
    """Calculate the statistics of the whole run in a database of ExportToDatabase; returns notes as `correct_table`."""
    notes = []
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            if not table.endswith("Per_Experiment"):
                continue
            images = table.removesuffix("Per_Experiment") + "Per_Image"
            for name in _names(database, table):
                found = STATISTIC.match(name)
                if not found:
                    continue
                source = f"Image_{found[1]}{found[3]}"
                known = source in _names(database, images)
                texts = [text for (text,) in database.execute(f'SELECT "{source}" FROM "{images}"')] if known else []
                value = statistic(found[2], texts)
                database.execute(f'UPDATE "{table}" SET "{name}" = ?', (None if value is None else str(value),))
                notes += [f"{path.name}: {name}: {LEFT_OUT}."] if value is None else []
    return notes


def _names(database: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in database.execute(f'PRAGMA table_info("{table}")')}
