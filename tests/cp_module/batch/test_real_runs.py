"""`cellspan batch` with a real CellProfiler: one table of all parts, broken images, groups, stops, lost computers."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import psutil
import pytest
import tifffile

from cellspan.cp_module.batch.state import FOLDER
from cellspan.cp_module.batch.task import RECORD, attempts_folder, ranges_folder

HERE = Path(__file__).parent
MEASURE = HERE / "pipelines" / "measure.cppipe"  # IdentifyPrimaryObjects, shapes, label images, SQLite, CSV
ACROSS = HERE / "pipelines" / "across.cppipe"  # RescaleIntensity and Tile look at all image sets
TRACKED = HERE / "pipelines" / "tracked.cppipe"  # LoadData with groups, MeasureImageQuality, TrackObjects
NUCLEI = HERE.parent / "pipelines" / "nuclei.cppipe"  # has a block of our module
SIDE = 256
DIFFERS = re.compile(r"ExecutionTime|Seconds|PathName|URL|(?:Modified|Modification|Run)_Timestamp|Pipeline_Pipeline")
NETWORK = re.compile(r"Flow_(?:FlowError|MeanProbability)")
WAIT_SECONDS = 120

FLAG_A_TEXT = """\
FlagImage:[module_num:5|svn_version:'Unknown'|variable_revision_number:5|show_window:False|notes:[]|\
batch_state:array([], dtype=uint8)|enabled:True|wants_pause:False]
    Hidden:1
    Hidden:1
    Name the flag's category:Metadata
    Name the flag:QCFlag
    How should measurements be linked?:Flag if any fail
    Skip image set if flagged?:Yes
    Flag is based on:Whole-image measurement
    Select the object to be used for flagging:None
    Which measurement?:Metadata_Site
    Flag images based on low values?:Yes
    Minimum value:1.9
    Flag images based on high values?:Yes
    Maximum value:2.1
    Rules file location:Elsewhere...|
    Rules file name:rules.txt
    Class number:
    Allow fuzzy feature matching?:No
    Ignore flag skips on last cycle?:No"""

pytestmark = [pytest.mark.end_to_end, pytest.mark.data]

Batch = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def images(shared_data: Path, tmp_path: Path) -> Path:
    """Four fields of nuclei, two of each of two plates."""
    folder = tmp_path / "in"
    folder.mkdir()
    sources = sorted((shared_data / "bbbc039" / "val").glob("*_img.png"))[:4]
    for index, source in enumerate(sources):
        pixels = imageio.imread(source)[:SIDE, :SIDE]
        tifffile.imwrite(folder / f"plate{index // 2 + 1}_site {index % 2 + 1}_d0.tif", pixels)
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out"


def command(pipeline: Path, images: Path, output: Path, *options: object) -> list[str]:
    arguments = [pipeline, "--images", images, "--output", output, *options]
    return [sys.executable, "-m", "cellspan.core.cli", "batch", *map(str, arguments)]


@pytest.fixture
def batch(images: Path, output: Path, cellprofiler_python: Path) -> Batch:
    """Run the command to its end; a traceback is never an answer."""

    def run(pipeline: Path, *options: object) -> subprocess.CompletedProcess[str]:
        line = command(pipeline, images, output, *options)
        done = subprocess.run(line, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture
def in_one_piece(
    in_cellprofiler: Callable[..., subprocess.CompletedProcess[str]], plugin_folder: Path, images: Path, tmp_path: Path
) -> Callable[[Path], Path]:
    """The output folder of a plain run of CellProfiler, with which a batch run is compared."""

    def run(pipeline: Path) -> Path:
        whole = tmp_path / "whole"
        whole.mkdir()
        arguments = ["-c", "-r", "-p", pipeline, "-i", images, "-o", whole, "--plugins-directory", plugin_folder]
        once = in_cellprofiler("-m", "cellprofiler", *arguments)
        assert once.returncode == 0, once.stderr
        return whole

    return run


def with_our_module(folder: Path) -> Path:
    """The pipeline with our module in the place of IdentifyPrimaryObjects."""
    (ours,) = (block for block in NUCLEI.read_text().split("\n\n") if block.startswith("IdentifyObjectsByFlow:"))
    blocks = [
        ours if block.startswith("IdentifyPrimaryObjects:") else block for block in MEASURE.read_text().split("\n\n")
    ]
    path = folder / "ours.cppipe"
    path.write_text("\n\n".join(blocks))
    return path


def comparable(row: dict[str, Any]) -> dict[str, Any]:
    """Without the columns in which two runs may differ; what is measured of the network's output as numbers."""
    kept = {name: value for name, value in row.items() if not DIFFERS.search(name)}
    return {name: float(value) if NETWORK.search(name) else value for name, value in kept.items()}


def nearly(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Equal to rows in which numbers of the network differ in their last bits.

    They depend on how many images are computed at once, because these share the processors.
    """
    return [
        {
            name: pytest.approx(value, rel=1e-5, abs=1e-6) if NETWORK.search(name) else value
            for name, value in row.items()
        }
        for row in rows
    ]


def table(path: Path) -> list[dict[str, Any]]:
    """The rows, without the columns in which two runs may differ."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [comparable(row) for row in rows]


def database_table(path: Path, name: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        rows = [dict(row) for row in database.execute(f'SELECT * FROM "{name}" ORDER BY 1, 2')]
    return [comparable(row) for row in rows]


def states(output: Path) -> dict[int, str]:
    return {record["number"]: record["state"] for record in json.loads((output / "batch.json").read_text())["sets"]}


def objects_of_sets(output: Path) -> dict[int, list[int]]:
    """ImageNumber -> ObjectNumbers, as the merged table has them."""
    found: dict[int, list[int]] = {}
    for row in table(output / "Nuclei.csv"):
        found.setdefault(int(row["ImageNumber"]), []).append(int(row["ObjectNumber"]))
    return found


def check_all_done(output: Path, sets: tuple[int, ...] = (1, 2, 3, 4)) -> None:
    """Every set once in every table, and its objects are those of the label image that was saved."""
    assert [int(row["ImageNumber"]) for row in table(output / "Image.csv")] == list(sets)
    objects = objects_of_sets(output)
    assert sorted(objects) == list(sets)
    for row in table(output / "Image.csv"):
        numbers = objects[int(row["ImageNumber"])]
        assert numbers == list(range(1, len(numbers) + 1))
        labels = tifffile.imread(output / (Path(row["FileName_DNA"]).stem + "_labels.tiff"))
        assert labels.max() == len(numbers) == float(row["Count_Nuclei"])
    stored = database_table(output / "DefaultDB.db", "MyExpt_Per_Object")
    assert [row["ImageNumber"] for row in stored] == [number for number in sets for _ in objects[number]]
    assert [row["ImageNumber"] for row in database_table(output / "DefaultDB.db", "MyExpt_Per_Image")] == list(sets)


def test_two_workers_give_what_one_cellprofiler_gives(
    batch: Batch,
    in_cellprofiler: Callable[..., subprocess.CompletedProcess[str]],
    plugin_folder: Path,
    engine_home: Path,
    images: Path,
    output: Path,
    tmp_path: Path,
) -> None:
    """The merged tables and databases are those of a run in one piece; both workers used one engine."""
    pipeline, whole = with_our_module(tmp_path), tmp_path / "whole"
    done = batch(pipeline, "--workers", "2", "--sets-per-task", "2")
    assert done.returncode == 0, done.stderr
    assert "4 of 4 image sets done" in done.stdout
    assert re.search(r"\[4/4\] .* images/min", done.stderr), done.stderr
    assert (engine_home / "service.log").read_text().count("cellspan engine") == 1
    check_all_done(output)
    assert set(states(output).values()) == {"done"}

    whole.mkdir()
    arguments = ["-c", "-r", "-p", pipeline, "-i", images, "-o", whole, "--plugins-directory", plugin_folder]
    once = in_cellprofiler("-m", "cellprofiler", *arguments)
    assert once.returncode == 0, once.stderr
    for name in ("Image.csv", "Nuclei.csv"):
        assert table(output / name) == nearly(table(whole / name)), name
    for name in ("MyExpt_Per_Image", "MyExpt_Per_Object", "MyExpt_Per_Relationships"):
        merged = database_table(output / "DefaultDB.db", name)
        assert merged == nearly(database_table(whole / "DefaultDB.db", name)), name
    for path in whole.glob("*_labels.tiff"):
        np.testing.assert_array_equal(tifffile.imread(output / path.name), tifffile.imread(path))
    text = (output / "Image.csv").read_text()
    assert FOLDER not in text, "paths are those of the results, not of the parts"


def test_what_depends_on_all_image_sets_is_not_divided(
    batch: Batch, in_one_piece: Callable[[Path], Path], output: Path
) -> None:
    """The lowest and highest intensity of all images, and one image tiled from all."""
    done = batch(ACROSS, "--workers", "1", "--sets-per-task", "2")
    assert done.returncode == 0, done.stderr
    note = "Note: RescaleIntensity, Tile and SaveImages need all image sets at once and there are no groups"
    assert note in done.stderr
    whole = in_one_piece(ACROSS)
    assert table(output / "Image.csv") == table(whole / "Image.csv")
    np.testing.assert_array_equal(tifffile.imread(output / "montage.tiff"), tifffile.imread(whole / "montage.tiff"))


def experiment(path: Path) -> dict[str, str]:
    """What a table says about the experiment, without times and paths."""
    with path.open(newline="") as file:
        return {key: value for key, value in csv.reader(file) if not DIFFERS.search(key) and "Timestamp" not in key}


def test_groups_that_lie_between_each_other_run_apart(
    batch: Batch, in_one_piece: Callable[[Path], Path], images: Path, output: Path
) -> None:
    """Tables, tracks and statistics over the run are those of a run in one piece; nothing leads into the parts."""
    names = ["plate1_site 1", "plate2_site 1", "plate1_site 2", "plate2_site 2"]
    rows = [f"{name}_d0.tif,{images},{name[:6]},{name[-1]}" for name in names]
    header = "FileName_DNA,PathName_DNA,Metadata_Plate,Metadata_Site"
    (images / "sites.csv").write_text("\n".join([header, *rows]) + "\n")
    done = batch(TRACKED, "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert "To do: 4 image sets in 2 ranges, with 2 workers." in done.stderr.splitlines()
    assert sorted(finished(output)) == ["000001-000002", "000003-000004"]
    whole = in_one_piece(TRACKED)
    for name in ("Image.csv", "Nuclei.csv"):
        assert table(output / name) == table(whole / name), name
    sets = json.loads((output / "batch.json").read_text())["sets"]
    named = {record["number"]: Path(record["files"]["DNA"]).name for record in sets}
    rows_of_sets = table(output / "Image.csv")
    assert named == {int(row["ImageNumber"]): row["FileName_DNA"] for row in rows_of_sets}
    said = experiment(whole / "Experiment.csv")
    assert {"ImageQuality_ThresholdMeanOtsu_DNA_2W", "TrackObjects_OriginalNumberOfTracks"} <= said.keys()
    assert said.items() <= experiment(output / "Experiment.csv").items()
    for name in ("My_Per_Image", "My_Per_Object", "My_Per_Experiment"):
        assert database_table(output / "DB.db", name) == database_table(whole / "DB.db", name), name
    properties = {row["field"]: row["value"] for row in database_table(output / "DB.db", "Experiment_Properties")}
    assert properties["db_sqlite_file"] == str(output / "DB.db")
    for path in (path for path in output.iterdir() if path.is_file() and path.name != "batch.json"):
        assert FOLDER.encode() not in path.read_bytes(), path.name


def test_a_pipeline_that_fails_for_every_image_set_stops_early(batch: Batch, output: Path, tmp_path: Path) -> None:
    """FlagImage cannot compare a text with a number, which nobody knows before it has run."""
    blocks = MEASURE.read_text().strip().split("\n\n")
    place = next(index for index, block in enumerate(blocks) if block.startswith("IdentifyPrimaryObjects:"))
    blocks.insert(place, FLAG_A_TEXT)
    pipeline = tmp_path / "flag.cppipe"
    pipeline.write_text("\n\n".join(blocks).replace("ModuleCount:10", "ModuleCount:11") + "\n")
    done = batch(pipeline, "--workers", "1", "--sets-per-task", "1")
    assert done.returncode == 1, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("cellspan: The first 3 image sets all failed in the same way (FlagImage: TypeError"), last
    assert "--keep-going" in last
    report = json.loads((output / "batch.json").read_text())
    assert (report["state"], report["counts"]["done"], report["counts"]["waiting"]) == ("failed", 0, 1)


def test_what_cellprofiler_knows_to_be_wrong_is_refused(batch: Batch, images: Path, output: Path) -> None:
    """A table for LoadData without the column of the groups."""
    (images / "sites.csv").write_text(f"FileName_DNA,PathName_DNA,Metadata_Site\nplate1_site 1_d0.tif,{images},1\n")
    done = batch(TRACKED)
    assert done.returncode == 2, done.stderr
    words = "CellProfiler finds a fault in module 1, LoadData: Select metadata tags for grouping: "
    assert words in done.stderr.splitlines()[-1]
    assert not (output / "batch.json").exists()


def test_broken_images_are_left_out_and_tried_again_once_they_are_repaired(
    batch: Batch, images: Path, output: Path
) -> None:
    """One that is no TIFF fails twice in CellProfiler; one that is cut short it would have read as partly black."""
    garbage, cut = images / "plate1_site 2_d0.tif", images / "plate2_site 1_d0.tif"
    sound = {path: path.read_bytes() for path in (garbage, cut)}
    garbage.write_bytes(b"no image at all")
    cut.write_bytes(sound[cut][: len(sound[cut]) // 3])
    done = batch(MEASURE, "--workers", "2", "--sets-per-task", "2")
    assert done.returncode == 1, done.stderr
    failed = [line for line in done.stderr.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 2, done.stderr
    assert re.fullmatch(r"FAILED image set 2 \(plate1_site 2_d0\.tif\): .+ \(log: .+\.log\)", failed[0]), failed
    assert re.fullmatch(r"FAILED image set 3 \(plate2_site 1_d0\.tif\): .* is cut short: .+", failed[1]), failed
    assert "2 of 4 image sets done" in done.stdout
    check_all_done(output, sets=(1, 4))
    assert states(output) == {1: "done", 2: "failed", 3: "failed", 4: "done"}
    report = json.loads((output / "batch.json").read_text())
    assert report["state"] == "failed"
    assert Path(report["sets"][1]["log"]).is_file()
    kept = finished(output)

    for path, content in sound.items():
        path.write_bytes(content)
    again = batch(MEASURE, "--workers", "2")
    assert again.returncode == 0, again.stderr
    assert "2 of 4 image sets are already done" in again.stderr
    check_all_done(output)
    assert set(states(output).values()) == {"done"}
    assert kept.items() <= finished(output).items()


def finished(output: Path) -> dict[str, int]:
    """The finished ranges, and when they were finished."""
    records = ranges_folder(output / FOLDER).glob("*/done.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in records}


def wait_for(what: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    ends = time.monotonic() + WAIT_SECONDS
    while not what():
        assert time.monotonic() < ends, "it did not come to this"
        assert process is None or process.poll() is None, "it ended before"
        time.sleep(0.1)


def underway(output: Path) -> list[int]:
    """The processes that work on ranges, by their records."""
    found = []
    for record in attempts_folder(output / FOLDER).glob(f"*/{RECORD}"):
        text = record.read_text() if record.exists() else ""
        found += [json.loads(text)["pid"]] if text else []
    return found


def test_what_is_done_is_not_done_again_after_ctrl_c_and_after_a_power_loss(
    batch: Batch, images: Path, output: Path
) -> None:
    line = command(MEASURE, images, output, "--workers", "1", "--sets-per-task", "1")
    first = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(lambda: finished(output) and underway(output), first)
    (worker,) = underway(output)
    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=WAIT_SECONDS)
    assert first.returncode == 130, said
    assert said.rstrip().endswith("Stopped. Run the same command again to resume.")
    assert not psutil.pid_exists(worker)
    assert json.loads((output / "batch.json").read_text())["state"] == "interrupted"
    after_stop = finished(output)

    second = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_for(lambda: len(finished(output)) > len(after_stop) and underway(output), second)
    (orphan,) = underway(output)
    second.kill()
    second.wait()
    after_loss = finished(output)
    assert after_stop.items() <= after_loss.items()
    assert len(after_loss) < 4

    last = batch(MEASURE, "--workers", "1", "--sets-per-task", "1")
    assert last.returncode == 0, last.stderr
    assert after_loss.items() <= finished(output).items()
    assert not psutil.pid_exists(orphan), "what the killed run left behind is ended"
    check_all_done(output)


def test_a_module_that_this_cellprofiler_lacks_stops_the_run_before_it_begins(
    batch: Batch, output: Path, tmp_path: Path
) -> None:
    """CellProfiler by itself would leave the module out, run the others and end with exit code 0."""
    pipeline = tmp_path / "lacks.cppipe"
    pipeline.write_text(MEASURE.read_text().replace("IdentifyPrimaryObjects:", "NoSuchModule:"))
    done = batch(pipeline)
    assert done.returncode == 2, done.stderr
    assert "the module NoSuchModule is missing in this CellProfiler" in done.stderr.splitlines()[-1]
    assert not (output / "batch.json").exists()


def test_groups_stay_together(batch: Batch, output: Path, tmp_path: Path) -> None:
    pipeline = tmp_path / "grouped.cppipe"
    pipeline.write_text(MEASURE.read_text().replace("group your images?:No", "group your images?:Yes"))
    done = batch(pipeline, "--workers", "2", "--sets-per-task", "1")
    assert done.returncode == 0, done.stderr
    assert sorted(finished(output)) == ["000001-000002", "000003-000004"]
    check_all_done(output)
    rows = table(output / "Image.csv")
    assert [(row["Metadata_Plate"], row["Group_Number"], row["Group_Index"]) for row in rows] == [
        ("plate1", "1", "1"),
        ("plate1", "1", "2"),
        ("plate2", "2", "1"),
        ("plate2", "2", "2"),
    ]
    sets = json.loads((output / "batch.json").read_text())["sets"]
    assert [record["group"] for record in sets] == [
        {"Metadata_Plate": plate} for plate in ("plate1", "plate1", "plate2", "plate2")
    ]


def test_a_cluster_that_loses_a_worker(images: Path, output: Path, cellprofiler_python: Path) -> None:
    """Two worker processes of Dask; one is killed while its CellProfiler runs."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        line = command(
            MEASURE, images, output, "--scheduler", cluster.scheduler_address, "--workers", "2", "--sets-per-task", "1"
        )
        run = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: len(underway(output)) == 2, run)
        workers = {nanny.pid: nanny for nanny in cluster.workers.values()}
        family = [parent.pid for parent in psutil.Process(underway(output)[0]).parents()]
        (victim,) = workers.keys() & set(family)
        os.kill(victim, signal.SIGKILL)
        said = "".join(run.communicate(timeout=WAIT_SECONDS))
    assert run.returncode == 0, said
    assert "Traceback" not in said
    check_all_done(output)
