"""Which files are offered to CellProfiler as images, and which plugins it gets."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from cellspan.core.errors import CellspanError
from cellspan.cp_module.batch.block import Block
from cellspan.cp_module.batch.cellprofiler import CellProfiler
from cellspan.cp_module.batch.pipeline import PipelineFile, read_pipeline
from cellspan.cp_module.batch.plan import Group, find_files, image_sets, notes_on_groups, plugins_for, units_in
from cellspan.cp_module.batch.split import Range

pytestmark = pytest.mark.quick

MEASURE = read_pipeline(Path(__file__).parent / "pipelines" / "measure.cppipe")
OURS = PipelineFile(MEASURE.header, read_pipeline(Path(__file__).parents[1] / "pipelines" / "nuclei.cppipe").blocks)


TRACKED = read_pipeline(Path(__file__).parent / "pipelines" / "tracked.cppipe")
ACROSS = read_pipeline(Path(__file__).parent / "pipelines" / "across.cppipe")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_images_with_all_below_but_not_the_results(tmp_path: Path) -> None:
    touch(tmp_path, "b.tif", "plate 1/a.flex", "notes.txt", ".hidden.tif", ".cache/x.tif", "out/a_labels.tiff")
    assert find_files(tmp_path, tmp_path / "out") == ["b.tif", "plate 1/a.flex"]


def test_results_beside_the_images(tmp_path: Path) -> None:
    touch(tmp_path, "b.tif", ".cellspan-batch/plan/x.tif", "Image.csv", "E.db", "batch.json")
    assert find_files(tmp_path, tmp_path) == ["b.tif"]


def test_a_folder_without_images_is_said_so(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt")
    with pytest.raises(CellspanError, match="there are no images in this folder"):
        find_files(tmp_path, tmp_path / "out")
    with pytest.raises(CellspanError, match="there is no such image folder"):
        find_files(tmp_path / "none", tmp_path / "out")


def test_a_run_brings_our_plugin_along(tmp_path: Path) -> None:
    folder = plugins_for(OURS, None, tmp_path)
    assert (folder / "identifyobjectsbyflow.py").is_file()
    assert plugins_for(OURS, None, tmp_path) == folder, "a second time too"


def test_a_plugins_folder_without_our_module_is_refused_where_the_pipeline_needs_it(tmp_path: Path) -> None:
    assert plugins_for(MEASURE, tmp_path, tmp_path) == tmp_path
    words = re.escape(f"run: cellspan install cellprofiler --to {tmp_path}")
    with pytest.raises(CellspanError, match=words):
        plugins_for(OURS, tmp_path, tmp_path)
    with pytest.raises(CellspanError, match="there is no such plugins folder"):
        plugins_for(MEASURE, tmp_path / "none", tmp_path)


def test_what_must_stay_together() -> None:
    sets: list[Group] = [({}, [number]) for number in range(1, 5)]
    assert units_in(MEASURE, sets) == [Range(number, number) for number in range(1, 5)]
    assert units_in(ACROSS, sets) == [Range(1, 4)]
    statistics = Block("CalculateStatistics:[module_num:7|enabled:True]")
    over_all = PipelineFile(TRACKED.header, (*TRACKED.blocks, statistics))
    assert units_in(over_all, [({}, [1, 2]), ({}, [3, 4])]) == [Range(1, 4)], "not even divided between groups"


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_an_application_without_a_python_leaves_mixed_groups_together_and_says_so(tmp_path: Path) -> None:
    program = tmp_path / "cellprofiler"
    groups = [[{"Metadata_Plate": "P1"}, [1, 3]], [{"Metadata_Plate": "P2"}, [2, 4]], [{"Metadata_Plate": "P3"}, [5]]]
    program.write_text(f"#!/bin/sh\necho '{json.dumps(groups)}There is no pipeline to run'\n")
    program.chmod(0o755)
    found, files = image_sets(CellProfiler((str(program),), None), tmp_path / "Batch_data.h5")
    assert (found, files) == ([({"Metadata_Plate": f"P{n}"}, sets) for n, (_, sets) in enumerate(groups, 1)], {})
    units = units_in(TRACKED, found)
    assert units == [Range(1, 4), Range(5, 5)]
    (note,) = notes_on_groups(TRACKED, found, units)
    assert note.startswith("The image sets of some groups lie between each other, so one process does these groups;")
    assert notes_on_groups(TRACKED, [({}, [1, 2]), ({}, [3])], [Range(1, 2), Range(3, 3)]) == []
