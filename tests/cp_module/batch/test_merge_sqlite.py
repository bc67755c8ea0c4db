"""Databases of several ranges become one that holds all rows, with its keys."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from cellspan.core.errors import CellspanError
from cellspan.cp_module.batch.merge_sqlite import merge_databases
from cellspan.cp_module.batch.merge_tables import Place
from cellspan.cp_module.batch.relocate import Relocation
from cellspan.cp_module.batch.task import attempts_folder, template_folder

pytestmark = pytest.mark.quick

SCHEMA = """
CREATE TABLE E_Per_Image (ImageNumber INTEGER PRIMARY KEY, Image_Group_Index INTEGER, Image_Group_Length INTEGER,
  Image_PathName_Labels TEXT);
CREATE TABLE E_Per_Object (ImageNumber INTEGER, ObjectNumber INTEGER, "Nuclei ""px"" Area" REAL,
  PRIMARY KEY (ImageNumber, ObjectNumber));
CREATE TABLE E_Per_RelationshipTypes (relationship_type_id INTEGER PRIMARY KEY, relationship TEXT);
CREATE TABLE E_Per_Relationships (relationship_type_id INTEGER, image_number1 INTEGER, object_number1 INTEGER);
CREATE TABLE Experiment (experiment_id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
CREATE TABLE Experiment_Properties (experiment_id INTEGER, field TEXT, value TEXT);
CREATE VIEW E_View AS SELECT ImageNumber FROM E_Per_Image;
"""


def database(folder: Path, name: str, images: range, *, objects: int = 2) -> Path:
    """What ExportToDatabase writes for a range, `objects` in every image."""
    output = attempts_folder(folder / "run") / f"{images[0]:06d}-{images[-1]:06d}.00000000" / "output"
    path = folder / name
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(SCHEMA)
        connection.execute("INSERT INTO Experiment (name) VALUES ('E')")
        planned = ("db_sqlite_file", str(template_folder(folder / "run") / "all.db"))
        connection.execute("INSERT INTO Experiment_Properties VALUES (1, ?, ?)", planned)
        connection.execute("INSERT INTO E_Per_RelationshipTypes VALUES (1, 'Parent')")
        for index, number in enumerate(images, 1):
            row = (number, index, len(images), str(output))
            connection.execute("INSERT INTO E_Per_Image VALUES (?, ?, ?, ?)", row)
            for item in range(1, objects + 1):
                connection.execute("INSERT INTO E_Per_Object VALUES (?, ?, ?)", (number, item, 10.0 * number + item))
                connection.execute("INSERT INTO E_Per_Relationships VALUES (1, ?, ?)", (number, item))
    return path


def unknown(_: int) -> None:
    """The place of an image set that keeps what CellProfiler wrote."""


def one_group(length: int) -> Place:
    """The places without groups."""
    return lambda number: (1, number, length)


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def merged(tmp_path: Path) -> Path:
    """Sets 1 to 2, 3 and 4 to 6 in one database."""
    parts = [database(tmp_path, f"{part[0]}.db", part) for part in (range(1, 3), range(3, 4), range(4, 7))]
    merge_databases(parts, tmp_path / "all.db", Relocation(tmp_path / "run", tmp_path), one_group(6))
    return tmp_path / "all.db"


def test_all_image_sets_and_objects_are_there(merged: Path) -> None:
    assert rows(merged, "SELECT ImageNumber FROM E_Per_Image ORDER BY 1") == [(number,) for number in range(1, 7)]
    expected = [(number, item, 10.0 * number + item) for number in range(1, 7) for item in (1, 2)]
    assert rows(merged, "SELECT * FROM E_Per_Object ORDER BY 1, 2") == expected
    assert len(rows(merged, "SELECT * FROM E_Per_Relationships")) == 12


def test_what_is_said_once_about_the_experiment_is_there_once(merged: Path) -> None:
    assert rows(merged, "SELECT name FROM Experiment") == [("E",)]
    assert rows(merged, "SELECT * FROM E_Per_RelationshipTypes") == [(1, "Parent")]


def test_keys_and_views_stay(merged: Path) -> None:
    assert rows(merged, "SELECT count(*) FROM E_View") == [(6,)]
    with contextlib.closing(sqlite3.connect(merged)) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute("INSERT INTO E_Per_Image (ImageNumber) VALUES (1)")


def test_all_sets_are_one_group_and_paths_lead_to_the_results(merged: Path) -> None:
    found = rows(merged, "SELECT Image_Group_Index, Image_Group_Length, Image_PathName_Labels FROM E_Per_Image")
    assert found == [(number, 6, str(merged.parent)) for number in range(1, 7)]


def test_of_the_experiment_the_last_database_is_right(tmp_path: Path) -> None:
    """As in one run, where TrackObjects replaces the number of tracks of a group by that of the next."""
    parts = [database(tmp_path, "a.db", range(1, 3)), database(tmp_path, "b.db", range(3, 4))]
    for path, count in zip(parts, (49, 75), strict=True):
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE E_Per_Experiment (TrackObjects_OriginalNumberOfTracks INTEGER)")
            connection.execute("INSERT INTO E_Per_Experiment VALUES (?)", (count,))
    merge_databases(parts, tmp_path / "all.db", Relocation(tmp_path / "run", tmp_path), unknown)
    assert rows(tmp_path / "all.db", "SELECT * FROM E_Per_Experiment") == [(75,)]
    assert rows(tmp_path / "all.db", "SELECT name FROM Experiment") == [("E",)]


def test_what_the_experiment_names_is_the_merged_database(merged: Path) -> None:
    """Not the empty one that the plan made, in a folder which may be deleted."""
    assert rows(merged, "SELECT field, value FROM Experiment_Properties") == [("db_sqlite_file", str(merged))]


def test_with_groups_their_numbers_stay(tmp_path: Path) -> None:
    parts = [database(tmp_path, "a.db", range(1, 3)), database(tmp_path, "b.db", range(3, 4))]
    merge_databases(parts, tmp_path / "all.db", Relocation(tmp_path / "run", tmp_path), unknown)
    found = rows(tmp_path / "all.db", "SELECT Image_Group_Index, Image_Group_Length FROM E_Per_Image")
    assert found == [(1, 2), (2, 2), (1, 1)]


def test_a_set_that_is_in_two_databases_is_an_error_and_the_old_file_stays(tmp_path: Path) -> None:
    """Never twice the objects without a word."""
    parts = [database(tmp_path, "a.db", range(1, 3)), database(tmp_path, "b.db", range(2, 4))]
    (tmp_path / "all.db").write_text("earlier")
    with pytest.raises(CellspanError, match=r"all\.db: the databases of the ranges cannot be merged"):
        merge_databases(parts, tmp_path / "all.db", Relocation(tmp_path / "run", tmp_path), one_group(3))
    assert (tmp_path / "all.db").read_text() == "earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.db", "all.db", "b.db"]


def test_databases_of_different_tables_are_an_error(tmp_path: Path) -> None:
    first, second = database(tmp_path, "a.db", range(1, 2)), database(tmp_path, "b.db", range(2, 3))
    with contextlib.closing(sqlite3.connect(second)) as connection, connection:
        connection.execute("ALTER TABLE E_Per_Image ADD COLUMN Mean_Area REAL")
    with pytest.raises(CellspanError, match="no column named Mean_Area"):
        merge_databases([first, second], tmp_path / "all.db", Relocation(tmp_path / "run", tmp_path), one_group(2))
