"""Statistics over all image sets, which CellProfiler calculates at the end of each part: again from the joined tables.

MeasureImageQuality stores the mean, median and standard deviation of its thresholds as measurements of the experiment.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from cellspan.cp_module.batch.merge_sqlite import MEASURED, columns_of, quoted, tables_of
from cellspan.cp_module.batch.merge_tables import EXPERIMENT
from cellspan.cp_module.batch.task import read_rows, write_rows

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
    write_rows(experiment, kept, delimiter)
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
        for table in tables_of(database, "main"):
            if not table.endswith(MEASURED):
                continue
            images = table.removesuffix(MEASURED) + "Per_Image"
            for name in columns_of(database, "main", table):
                found = STATISTIC.match(name)
                if not found:
                    continue
                source = f"Image_{found[1]}{found[3]}"
                known = source in columns_of(database, "main", images)
                values = f"SELECT {quoted(source)} FROM {quoted(images)}"
                texts = [text for (text,) in database.execute(values)] if known else []
                value = statistic(found[2], texts)
                change = f"UPDATE {quoted(table)} SET {quoted(name)} = ?"
                database.execute(change, (None if value is None else str(value),))
                notes += [f"{path.name}: {name}: {LEFT_OUT}."] if value is None else []
    return notes
