"""Joins the SQLite databases that ExportToDatabase wrote for each range."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import write_atomically
from cellspan.cp_module.batch.merge_tables import PLACE, STARTED, Place
from cellspan.cp_module.batch.relocate import COLUMN, Relocation

IMAGE_NUMBERS = {"imagenumber", "image_number1"}  # the latter in the table of relationships
TYPES, MEASURED = "RelationshipTypes", "Per_Experiment"


def merge_databases(paths: Sequence[Path], target: Path, relocation: Relocation, place: Place) -> None:
    """Write the rows of all databases about image sets and objects into one; keys, indexes and views stay.

    What is said about the experiment is from the first database, and what modules measured of it from the last one: in
    one run, what they say of a group is replaced by the next group. `place` gives the place of an image set in its
    group, which CellProfiler counted from 1 in each range.
    """

    def write(part: Path) -> None:
        shutil.copyfile(paths[0], part)
        with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as database:
            for path in paths[1:]:
                _append(database, path)
            if len(paths) > 1:
                _take_measured(database, paths[-1])
            for table in tables_of(database, "main"):
                _correct(database, table, relocation, place)

    try:
        write_atomically(target, write)
    except sqlite3.Error as error:
        raise CellspanError(f"{target}: the databases of the ranges cannot be merged ({error}).") from None


def _append(database: sqlite3.Connection, path: Path) -> None:
    database.execute("ATTACH DATABASE ? AS range", (str(path),))
    database.execute("BEGIN")
    for table in tables_of(database, "range"):
        columns = columns_of(database, "range", table)
        names = ", ".join(quoted(column) for column in columns)
        ignoring = "" if _has_image_sets(database, "range", table) else "OR IGNORE"
        if ignoring and not table.endswith(TYPES):
            continue
        database.execute(
            f"INSERT {ignoring} INTO main.{quoted(table)} ({names}) SELECT {names} FROM range.{quoted(table)}"
        )
    database.execute("COMMIT")
    database.execute("DETACH DATABASE range")


def _take_measured(database: sqlite3.Connection, path: Path) -> None:
    """Take the measurements of the experiment, all in one row, from this database."""
    database.execute("ATTACH DATABASE ? AS range", (str(path),))
    for table in tables_of(database, "range"):
        names = [name for name in columns_of(database, "range", table) if name != STARTED]
        if table.endswith(MEASURED) and names:
            columns = ", ".join(quoted(name) for name in names)
            last = f"SELECT {columns} FROM range.{quoted(table)} LIMIT 1"
            database.execute(f"UPDATE main.{quoted(table)} SET ({columns}) = ({last})")
    database.execute("DETACH DATABASE range")


def _correct(database: sqlite3.Connection, table: str, relocation: Relocation, place: Place) -> None:
    columns = columns_of(database, "main", table)
    about_run = not _has_image_sets(database, "main", table)
    corrected = relocation.of_run if about_run else relocation.of
    database.create_function("relocated", 1, lambda text: corrected(text) if isinstance(text, str) else text)
    hold_paths = [name for name in columns if about_run or COLUMN.search(name)]
    changes = [f"{quoted(name)} = relocated({quoted(name)})" for name in hold_paths]
    if "ImageNumber" in columns:
        database.create_function("placed", 3, lambda number, which, old: (place(number) or {which: old})[which])
        for which, name in enumerate(f"Image_{name}" for name in PLACE):
            if name in columns:
                changes.append(f"{quoted(name)} = placed(ImageNumber, {which}, {quoted(name)})")
    if changes:
        database.execute(f"UPDATE {quoted(table)} SET {', '.join(changes)}")


def tables_of(database: sqlite3.Connection, schema: str) -> list[str]:
    """The names of the tables."""
    query = f"SELECT name FROM {schema}.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    return [name for (name,) in database.execute(query)]


def _has_image_sets(database: sqlite3.Connection, schema: str, table: str) -> bool:
    return bool(IMAGE_NUMBERS & {column.lower() for column in columns_of(database, schema, table)})


def columns_of(database: sqlite3.Connection, schema: str, table: str) -> list[str]:
    """The names of a table's columns; none if there is no such table."""
    return [row[1] for row in database.execute(f"PRAGMA {schema}.table_info({quoted(table)})")]


def quoted(name: str) -> str:
    """A name as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'
