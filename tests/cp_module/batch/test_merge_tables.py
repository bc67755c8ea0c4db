"""Tables of several ranges become one with every row under its columns."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellspan.cp_module.batch.merge_tables import is_mergeable, merge_tables
from cellspan.cp_module.batch.relocate import Relocation
from cellspan.cp_module.batch.task import attempts_folder

pytestmark = pytest.mark.quick

Rows = list[list[str]]


def write(path: Path, rows: Rows, delimiter: str = ",") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


def merged(folder: Path, *tables: Rows, name: str = "Image.csv", group_length: int | None = None) -> Rows:
    """The rows of the table that these become."""
    delimiter = "\t" if name.endswith(".txt") else ","
    paths = [write(folder / str(index) / name, rows, delimiter) for index, rows in enumerate(tables)]
    assert is_mergeable(paths)

    def place(number: int) -> tuple[int, int, int] | None:
        return None if group_length is None else (1, number, group_length)

    merge_tables(paths, folder / name, Relocation(folder / "run", folder), place)
    with (folder / name).open(newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_value_stays_in_its_row_and_under_its_column(tmp_path: Path, data: st.DataObject) -> None:
    """Also where the ranges have different columns, in another order, and texts with commas, quotes and line ends."""
    text = st.text(st.characters(exclude_categories=["C"]) | st.sampled_from('",\n'), max_size=8)
    names = ["Count_Nuclei", "Metadata_Well", "Flow_Notes_Nuclei"]
    tables, expected, number = [], [], 0
    for _ in range(data.draw(st.integers(1, 4))):
        columns = [*data.draw(st.permutations(names))[: data.draw(st.integers(0, 3))], "ImageNumber"]
        rows = []
        for _ in range(data.draw(st.integers(0, 3))):
            number += 1
            row = {name: data.draw(text) for name in columns} | {"ImageNumber": str(number)}
            rows.append([row[name] for name in columns])
            expected.append({name: row.get(name, "") for name in [*names, "ImageNumber"]})
        tables.append([columns, *rows])
    header, *rows = merged(tmp_path, *tables)
    found = [dict(zip(header, row, strict=True)) for row in rows]
    assert [{name: row.get(name, "") for name in [*names, "ImageNumber"]} for row in found] == expected


def test_a_column_that_a_range_lacks_is_empty_there(tmp_path: Path) -> None:
    first = [["ImageNumber", "Count_Nuclei"], ["1", "0"]]
    second = [["ImageNumber", "Mean_Nuclei_Area", "Count_Nuclei"], ["2", "81.5", "3"]]
    assert merged(tmp_path, first, second) == [
        ["ImageNumber", "Count_Nuclei", "Mean_Nuclei_Area"],
        ["1", "0", ""],
        ["2", "3", "81.5"],
    ]


def test_two_rows_of_header_are_one_header(tmp_path: Path) -> None:
    """Several objects in one table: the same measurement stands below different objects."""
    header = [["Image", "Nuclei", "Cells"], ["ImageNumber", "Area", "Area"]]
    other = [["Image", "Cells", "Nuclei"], ["ImageNumber", "Area", "Area"]]
    found = merged(tmp_path, [*header, ["1", "10", "20"]], [*other, ["2", "40", "30"]], name="Objects.csv")
    assert found == [*header, ["1", "10", "20"], ["2", "30", "40"]]


def test_tab_separated_tables_stay_so(tmp_path: Path) -> None:
    table = [["ImageNumber", "Count_Nuclei"], ["1", "2"]]
    assert merged(tmp_path, table, [table[0], ["2", "5"]], name="Image.txt") == [*table, ["2", "5"]]


def test_without_groups_all_sets_are_one_group(tmp_path: Path) -> None:
    header = ["Group_Index", "Group_Length", "ImageNumber"]
    found = merged(tmp_path, [header, ["1", "2", "1"], ["2", "2", "2"]], [header, ["1", "1", "3"]], group_length=3)
    assert found[1:] == [["1", "3", "1"], ["2", "3", "2"], ["3", "3", "3"]]


def test_with_groups_their_numbers_stay(tmp_path: Path) -> None:
    header = ["Group_Index", "Group_Length", "ImageNumber"]
    assert merged(tmp_path, [header, ["1", "2", "1"]], [header, ["1", "1", "3"]])[2] == ["1", "1", "3"]


def test_paths_lead_to_the_output_folder(tmp_path: Path) -> None:
    attempt = attempts_folder(tmp_path / "run") / "000001-000001.00000000" / "output"
    found = merged(tmp_path, [["ImageNumber", "PathName_Labels", "FileName_Labels"], ["1", str(attempt), "a.tiff"]])
    assert found[1] == ["1", str(tmp_path), "a.tiff"]


def test_the_table_of_relationships_is_joined(tmp_path: Path) -> None:
    header = ["Module", "First Image Number", "First Object Number"]
    found = merged(tmp_path, [header, ["Track", "1", "1"]], [header, ["Track", "2", "1"]], name="Object relations.csv")
    assert found == [header, ["Track", "1", "1"], ["Track", "2", "1"]]


def test_of_the_tables_about_the_experiment_one_stays(tmp_path: Path) -> None:
    table = [["Key", "Value"], ["Run_Timestamp", "early"], ["Pipeline_Pipeline", "x" * 200_000]]
    late = [["Key", "Value"], ["Run_Timestamp", "late"]]
    assert merged(tmp_path, table, late, name="Experiment.csv") == table


@pytest.mark.parametrize("name", ["Profile.csv", "Profile.gct", "notes.txt"])
def test_other_tables_are_not_touched(tmp_path: Path, name: str) -> None:
    assert not is_mergeable([write(tmp_path / name, [["x", "y"], ["1", "2"]])])


def test_an_empty_file_is_not_a_table(tmp_path: Path) -> None:
    (tmp_path / "Image.csv").write_text("")
    assert not is_mergeable([tmp_path / "Image.csv"])


def test_graph_files_with_image_numbers_are_joined(tmp_path: Path) -> None:
    """MeasureObjectSkeleton writes them itself, with another name for the image set."""
    first = [["image_number", "v1", "v2"], ["1", "1", "2"]]
    second = [["image_number", "v1", "v2"], ["2", "1", "2"]]
    assert merged(tmp_path, first, second, name="edges.csv") == [*first, second[1]]


def test_the_experiment_does_not_name_the_folder_of_the_parts(tmp_path: Path) -> None:
    run = tmp_path / "run"
    attempt = attempts_folder(run) / "000001-000002.01234567" / "output"
    text = f"Output folder path:{attempt}\nDatabase:{run / 'plan' / 'DB.db'}"
    rows = merged(tmp_path, [["Key", "Value"], ["Pipeline_Pipeline", text]], name="Experiment.csv")
    assert rows[1][1] == f"Output folder path:{tmp_path}\nDatabase:{tmp_path / 'DB.db'}"


def test_groups_have_the_numbers_that_they_have_in_the_whole_run(tmp_path: Path) -> None:
    """With LoadData, CellProfiler counts them from 1 in each range."""
    header = ["Group_Index", "Group_Length", "Group_Number", "ImageNumber"]
    parts = [write(tmp_path / str(n) / "Image.csv", [header, ["1", "1", "1", str(n)]]) for n in (1, 2)]
    places = {1: (1, 1, 1), 2: (2, 1, 1)}
    merge_tables(parts, tmp_path / "Image.csv", Relocation(tmp_path / "run", tmp_path), places.get)
    assert (tmp_path / "Image.csv").read_text().splitlines()[1:] == ["1,1,1,1", "1,1,2,2"]


def test_of_the_experiment_the_last_part_is_right(tmp_path: Path) -> None:
    """As in one run, where TrackObjects replaces the number of tracks of a group by that of the next."""
    parts = [[["Key", "Value"], ["TrackObjects_OriginalNumberOfTracks", count]] for count in ("49", "75")]
    assert merged(tmp_path, *parts, name="Experiment.csv") == parts[1]
