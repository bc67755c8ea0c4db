"""Joins the tables that ExportToSpreadsheet wrote for each range; image and object numbers are already correct."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from cellspan.cp_module.batch.relocate import COLUMN, Relocation
from cellspan.cp_module.batch.task import read_rows, write_rows

IMAGE_NUMBER = "ImageNumber"
# The others are in "Object relationships.csv" and in the graph files of MeasureObjectSkeleton.
NUMBER_COLUMNS = (IMAGE_NUMBER, "First Image Number", "image_number")
EXPERIMENT = ["Key", "Value"]
STARTED = "Run_Timestamp"
PLACE = ("Group_Number", "Group_Index", "Group_Length")
GROUP_COLUMNS = frozenset(PLACE)

Place = Callable[[int], "tuple[int, int, int] | None"]  # image set -> its PLACE, if that is known

Column = tuple[str, ...]  # the names in the header rows, from top to bottom


@dataclass(frozen=True)
class Table:
    """A table's columns and its number of header rows: two if several objects share a table."""

    path: Path
    delimiter: str
    header_rows: int
    columns: list[Column]

    def rows(self) -> Iterator[list[str]]:
        """The rows below the header."""
        for index, row in enumerate(read_rows(self.path, self.delimiter)):
            if index >= self.header_rows:
                yield row


def is_mergeable(paths: Sequence[Path]) -> bool:
    """Whether all files are CellProfiler tables of image sets, objects or the experiment."""
    return all(_header(path) is not None for path in paths)


def merge_tables(paths: Sequence[Path], target: Path, relocation: Relocation, place: Place) -> None:
    """Write the rows of all tables, in this order, into one.

    `place` gives the place of an image set in its group, which CellProfiler counted from 1 in each range.
    """
    tables = [table for path in paths if (table := _header(path)) is not None]
    if tables[0].columns == [(name,) for name in EXPERIMENT]:
        write_rows(target, _experiment(tables, relocation), tables[0].delimiter)
        return
    columns = list(dict.fromkeys(column for table in tables for column in table.columns))
    header = ([column[level] for column in columns] for level in range(tables[0].header_rows))
    rows = (_corrected(values, columns, relocation, place) for values in _rows(tables, columns))
    write_rows(target, chain(header, rows), tables[0].delimiter)


def _experiment(tables: list[Table], relocation: Relocation) -> Iterator[list[str]]:
    """The run began with the first table; what modules say of a group is replaced by the next group, as in one run."""
    first, last = (dict(row[:2] for row in table.rows() if len(row) > 1) for table in (tables[0], tables[-1]))
    values = first | {key: value for key, value in last.items() if key != STARTED}
    yield EXPERIMENT
    yield from ([key, relocation.of_run(value)] for key, value in values.items())


def _rows(tables: list[Table], columns: list[Column]) -> Iterator[list[str]]:
    """The rows of all tables under these columns."""
    for table in tables:
        place = {column: index for index, column in enumerate(table.columns)}
        order = [place.get(column) for column in columns]
        for row in table.rows():
            # Columns missing in a range, for example because it has no objects, stay empty.
            yield [row[index] if index is not None and index < len(row) else "" for index in order]


def _corrected(values: list[str], columns: list[Column], relocation: Relocation, place: Place) -> list[str]:
    names = [column[-1] for column in columns]
    if IMAGE_NUMBER in names and not GROUP_COLUMNS.isdisjoint(names):
        known = place(int(values[names.index(IMAGE_NUMBER)]))
        corrections = dict(zip(PLACE, map(str, known), strict=True)) if known else {}
        values = [corrections.get(name, value) for name, value in zip(names, values, strict=True)]
    return [relocation.of(value) if COLUMN.search(name) else value for name, value in zip(names, values, strict=True)]


def _header(path: Path) -> Table | None:
    delimiter = "\t" if path.suffix.lower() == ".txt" else ","
    if path.suffix.lower() not in (".csv", ".txt"):
        return None
    rows = read_rows(path, delimiter)
    first, second = next(rows, []), next(rows, [])
    if first == EXPERIMENT or any(name in first for name in NUMBER_COLUMNS):
        return Table(path, delimiter, 1, [(name,) for name in first])
    if IMAGE_NUMBER in second and len(first) == len(second):
        return Table(path, delimiter, 2, list(zip(first, second, strict=True)))
    return None
