"""A pipeline is read as it stands and copied with what CellProfiler's batch mechanism needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cellspan.core.errors import CellspanError
from cellspan.cp_module.batch.pipeline import LAST_MODULE, PipelineFile, read_pipeline

pytestmark = pytest.mark.quick

MEASURE = Path(__file__).parent / "pipelines" / "measure.cppipe"


def changed(folder: Path, *changes: tuple[str, str]) -> PipelineFile:
    """The pipeline with other values of settings."""
    text = MEASURE.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    (folder / "changed.cppipe").write_text(text)
    return read_pipeline(folder / "changed.cppipe")


def test_modules_and_settings() -> None:
    pipeline = read_pipeline(MEASURE)
    names = [block.name for block in pipeline.modules]
    assert (names[0], names[4], names[-1]) == ("Images", "IdentifyPrimaryObjects", "ExportToSpreadsheet")
    (primary,) = pipeline.named("IdentifyPrimaryObjects")
    assert primary.value("Typical diameter of objects") == "8,40"
    assert primary.value("No such setting") == ""
    assert not pipeline.is_grouped
    assert pipeline.image_tables == ["Image.csv"]
    assert pipeline.across_sets == pipeline.notes() == []


def test_the_copy_ends_with_our_step_and_changes_nothing_else() -> None:
    pipeline = read_pipeline(MEASURE)
    original, copy = MEASURE.read_text().strip().split("\n\n"), pipeline.for_batch().strip().split("\n\n")
    assert copy[1:-1] == original[1:]
    assert copy[-1].startswith(f"{LAST_MODULE}:[module_num:11|")
    assert "ModuleCount:11\n" in copy[0]


def test_a_step_of_their_own_is_not_run_twice(tmp_path: Path) -> None:
    once = tmp_path / "once.cppipe"
    once.write_text(read_pipeline(MEASURE).for_batch())
    assert read_pipeline(once).for_batch() == once.read_text()


def test_tables_go_below_the_output_folder_and_databases_are_made_anew(tmp_path: Path) -> None:
    elsewhere = "Output file location:Elsewhere...|/data/tables"
    pipeline = changed(
        tmp_path,
        ("Output file location:Default Output Folder|\n    Create a", f"{elsewhere}\n    Create a"),
        ("Overwrite without warning?:Data and schema", "Overwrite without warning?:Never"),
    )
    text = pipeline.for_batch()
    assert "/data/tables" not in text
    assert "Overwrite without warning?:Data and schema" in text
    assert pipeline.notes() == [
        f"{name}: its tables are written to the output folder, not to the folder in its settings."
        for name in ("ExportToDatabase", "ExportToSpreadsheet")
    ]


def test_line_ends_of_windows(tmp_path: Path) -> None:
    (tmp_path / "windows.cppipe").write_bytes(MEASURE.read_bytes().replace(b"\n", b"\r\n"))
    assert read_pipeline(tmp_path / "windows.cppipe") == read_pipeline(MEASURE)


def test_groups(tmp_path: Path) -> None:
    assert changed(tmp_path, ("group your images?:No", "group your images?:Yes")).is_grouped


def test_modules_that_are_switched_off_do_not_count(tmp_path: Path) -> None:
    text = re.sub(r"(ExportToSpreadsheet:\[.*)enabled:True", r"\1enabled:False", MEASURE.read_text())
    (tmp_path / "off.cppipe").write_text(text)
    pipeline = read_pipeline(tmp_path / "off.cppipe")
    assert pipeline.image_tables == []
    assert len(pipeline.modules) == 9
    assert len(pipeline.blocks) == 10


def test_names_of_tables_with_a_prefix(tmp_path: Path) -> None:
    prefix = (
        "Add a prefix to file names?:No\n    Filename prefix:",
        "Add a prefix to file names?:Yes\n    Filename prefix:A_",
    )
    assert changed(tmp_path, prefix).image_tables == ["A_Image.csv"]
    assert (
        changed(tmp_path, ("Export all measurement types?:Yes", "Export all measurement types?:No")).image_tables == []
    )
    tabs = ('Select the column delimiter:Comma (",")', "Select the column delimiter:Tab")
    assert changed(tmp_path, tabs).image_tables == []


def test_modules_that_need_all_sets_at_once_are_known(tmp_path: Path) -> None:
    pipeline = changed(tmp_path, ("MeasureObjectSizeShape:[", "TrackObjects:["))
    assert pipeline.across_sets == ["TrackObjects"]
    assert pipeline.notes() == [
        "TrackObjects needs all image sets at once and there are no groups, so one process does everything."
    ]


def test_what_is_no_pipeline_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match="there is no such pipeline file"):
        read_pipeline(tmp_path / "none.cppipe")
    (tmp_path / "x.cpproj").write_bytes(b"\x89HDF\r\n\x1a\n\xff\xff")
    with pytest.raises(CellspanError, match=r"x\.cpproj: this is not a \.cppipe file; .*Export > Pipeline"):
        read_pipeline(tmp_path / "x.cpproj")
    (tmp_path / "x.txt").write_text("hello")
    with pytest.raises(CellspanError, match=r"x\.txt: this is not a \.cppipe file"):
        read_pipeline(tmp_path / "x.txt")
    (tmp_path / "half.cppipe").write_text(MEASURE.read_text()[:5000])
    with pytest.raises(CellspanError, match=r"incomplete \(its header lists 10 modules, but it contains 8\)"):
        read_pipeline(tmp_path / "half.cppipe")
