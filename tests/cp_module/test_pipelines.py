"""Real CellProfiler processes run pipelines with our module; the objects are those that `cellspan segment` finds."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

PIPELINE = Path(__file__).parent / "pipelines" / "nuclei.cppipe"
AS_IN_PIPELINE = ("--model", "nuclei", "--exclude-on-edges")  # the settings of PIPELINE that are not defaults
HUMAN = Path("cellprofiler_examples") / "human"
COUNT_BY_CELLPROFILER = 289  # what the example's own pipeline finds in its DNA image, clear of the border

pytestmark = [pytest.mark.end_to_end, pytest.mark.data]

RunPipeline = Callable[..., "subprocess.CompletedProcess[str]"]


def succeeded(done: subprocess.CompletedProcess[str]) -> None:
    """The exit code alone says nothing: without the plugin CellProfiler cuts the pipeline short and returns 0."""
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    assert "Failed to load pipeline" not in text, text
    assert "IdentifyObjectsByFlow" in text, text


def with_settings(pipeline: Path, folder: Path, **settings: str) -> Path:
    """A copy of a pipeline in which settings, named by the start of their text, have other values."""
    text = pipeline.read_text()
    for start, value in settings.items():
        pattern = rf"(?m)^(    {re.escape(start.replace('_', ' '))}[^:]*):.*$"
        text, replaced = re.subn(pattern, lambda match, value=value: f"{match[1]}:{value}", text)
        assert replaced, start
    changed = folder / "changed.cppipe"
    changed.write_text(text)
    return changed


def cellspan_labels(cellspan: Any, images: list[Path], output: Path, options: Sequence[str]) -> list[np.ndarray]:
    """What the command line finds."""
    cellspan("segment", *images, "-o", output, "--save", "labels", *options)
    return [tifffile.imread(output / f"{image.stem}_labels.tif") for image in images]


def saved_labels(output: Path, image: Path) -> np.ndarray:
    return tifffile.imread(output / f"{image.stem}_labels.tiff")


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def test_cellprofiler_has_no_engine_of_its_own(in_cellprofiler: Any) -> None:
    code = "from importlib.util import find_spec; print([n for n in ('torch', 'openvino', 'cellspan') if find_spec(n)])"
    done = in_cellprofiler("-c", code)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_human_nuclei(cellspan: Any, run_pipeline: RunPipeline, shared_data: Path, tmp_path: Path) -> None:
    """The table has a row for each nucleus that `cellspan segment` finds, and the labels are the same."""
    (image,) = (shared_data / HUMAN).glob("*d0.tif")
    succeeded(run_pipeline(PIPELINE, shared_data / HUMAN, tmp_path / "out"))
    (expected,) = cellspan_labels(cellspan, [image], tmp_path / "cli", AS_IN_PIPELINE)
    found = rows(tmp_path / "out" / "Nuclei.csv")
    assert len(found) == expected.max()
    assert abs(len(found) - COUNT_BY_CELLPROFILER) <= 0.1 * COUNT_BY_CELLPROFILER
    assert float(rows(tmp_path / "out" / "Image.csv")[0]["Count_Nuclei"]) == len(found)
    assert [float(row["AreaShape_Area"]) for row in found] == np.bincount(expected.ravel())[1:].tolist()
    np.testing.assert_array_equal(saved_labels(tmp_path / "out", image), expected)


def test_every_setting_reaches_the_engine(
    cellspan: Any, run_pipeline: RunPipeline, shared_data: Path, tmp_path: Path
) -> None:
    (image,) = (shared_data / HUMAN).glob("*d0.tif")
    pipeline = with_settings(
        PIPELINE,
        tmp_path,
        Estimate_the_diameter="No",
        Typical_diameter="24.5",
        Flow_error="0.3",
        Cell_probability="-1.5",
        Minimum_size="90",
        Discard_objects="No",
    )
    succeeded(run_pipeline(pipeline, shared_data / HUMAN, tmp_path / "out"))
    options = ["--model", "nuclei", "--diameter", "24.5", "--flow-threshold", "0.3"]
    options += ["--cellprob-threshold", "-1.5", "--min-size", "90"]
    (expected,) = cellspan_labels(cellspan, [image], tmp_path / "cli", options)
    (default,) = cellspan_labels(cellspan, [image], tmp_path / "default", AS_IN_PIPELINE)
    np.testing.assert_array_equal(saved_labels(tmp_path / "out", image), expected)
    assert not np.array_equal(expected, default)


def write_kinds(shared_data: Path, folder: Path) -> list[Path]:
    """One field of nuclei as microscopes and programs store it; the name tells how."""
    folder.mkdir()
    pixels = imageio.imread(sorted((shared_data / "bbbc039" / "val").glob("*_img.png"))[0])[:300, :400]
    assert pixels.dtype == np.uint16
    twelve_bit = (pixels // (pixels.max() // 4096 + 1)).astype(np.uint16)
    tifffile.imwrite(folder / "sixteen_d0.tif", pixels, photometric="minisblack")
    tifffile.imwrite(
        folder / "twelve_d0.tif", twelve_bit, photometric="minisblack", extratags=[(281, "H", 1, 4095, True)]
    )
    tifffile.imwrite(folder / "eight_d0.tif", (twelve_bit // 16).astype(np.uint8), photometric="minisblack")
    tifffile.imwrite(folder / "float_d0.tif", (pixels / 977.0).astype(np.float32), photometric="minisblack")
    return sorted(folder.iterdir())


@pytest.mark.parametrize("scaled_by", ["Image metadata", "Image bit-depth"])
def test_kinds_of_pixels(
    scaled_by: str, cellspan: Any, run_pipeline: RunPipeline, shared_data: Path, tmp_path: Path
) -> None:
    """However CellProfiler scaled the intensities, the engine sees the pixels of the file."""
    images = write_kinds(shared_data, tmp_path / "in")
    pipeline = with_settings(PIPELINE, tmp_path, Set_intensity_range_from=scaled_by)
    succeeded(run_pipeline(pipeline, tmp_path / "in", tmp_path / "out"))
    labels = cellspan_labels(cellspan, images, tmp_path / "cli", AS_IN_PIPELINE)
    for image, expected in zip(images, labels, strict=True):
        assert expected.max() > 5
        np.testing.assert_array_equal(saved_labels(tmp_path / "out", image), expected, image.name)


def test_colour(cellspan: Any, run_pipeline: RunPipeline, shared_data: Path, tmp_path: Path) -> None:
    source = sorted((shared_data / "dsb2018_brightfield" / "val").glob("*_img.png"))[0]
    (tmp_path / "in").mkdir()
    image = tmp_path / "in" / "tissue_d0.tif"
    tifffile.imwrite(image, 255 - imageio.imread(source)[..., :3], photometric="rgb")
    pipeline = with_settings(PIPELINE, tmp_path, Select_the_image_type="Color image")
    succeeded(run_pipeline(pipeline, tmp_path / "in", tmp_path / "out"))
    (expected,) = cellspan_labels(cellspan, [image], tmp_path / "cli", AS_IN_PIPELINE)
    np.testing.assert_array_equal(saved_labels(tmp_path / "out", image), expected)


def test_the_example_pipeline_with_our_module(run_pipeline: RunPipeline, shared_data: Path, tmp_path: Path) -> None:
    """CellProfiler's own example: secondary and tertiary objects grow from our nuclei."""
    theirs = (shared_data / HUMAN / "ExampleHuman.cppipe").read_text().split("\n\n")
    (ours,) = (block for block in PIPELINE.read_text().split("\n\n") if block.startswith("IdentifyObjectsByFlow:"))
    first = next(i for i, block in enumerate(theirs) if block.startswith("IdentifyPrimaryObjects:"))
    theirs[first] = ours
    pipeline = tmp_path / "human.cppipe"
    pipeline.write_text("\n\n".join(theirs))
    succeeded(run_pipeline(pipeline, shared_data / HUMAN, tmp_path / "out"))
    (image,) = rows(tmp_path / "out" / "Image.csv")
    assert 200 < float(image["Count_Nuclei"]) < 320
    assert image["Count_Cells"] == image["Count_Nuclei"] == image["Count_Cytoplasm"]
    assert len(rows(tmp_path / "out" / "Cells.csv")) == float(image["Count_Cells"])


def test_processes_share_one_engine(
    run_pipeline: RunPipeline, shared_data: Path, tmp_path: Path, engine_home: Path
) -> None:
    """Two CellProfiler processes that start at the same time find or start the same engine, once."""
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run_pipeline, PIPELINE, shared_data / HUMAN, tmp_path / name) for name in ("one", "two")]
    for run in runs:
        succeeded(run.result())
    assert (tmp_path / "one" / "Nuclei.csv").read_text() == (tmp_path / "two" / "Nuclei.csv").read_text()
    (record,) = engine_home.rglob("service.json")
    first = json.loads(record.read_text())["pid"]
    succeeded(run_pipeline(PIPELINE, shared_data / HUMAN, tmp_path / "later"))
    assert json.loads(record.read_text())["pid"] == first
    assert (engine_home / "service.log").read_text().count("cellspan engine") == 1


def test_an_error_of_the_engine_stops_the_run(run_pipeline: RunPipeline, shared_data: Path, tmp_path: Path) -> None:
    pipeline = with_settings(PIPELINE, tmp_path, Select_the_model="Custom", Name_or_path_of_the_custom="no_such_model")
    done = run_pipeline(pipeline, shared_data / HUMAN, tmp_path / "out")
    assert done.returncode != 0
    assert re.search(r"EngineError: .*no_such_model.*\.$", done.stderr, re.MULTILINE), done.stderr
    assert not (tmp_path / "out" / "Nuclei.csv").exists()


def test_a_missing_engine_stops_the_run(
    run_pipeline: RunPipeline, shared_data: Path, plugin_folder: Path, tmp_path: Path
) -> None:
    (plugin_folder / "cellspan_plugin" / "engine.json").unlink()
    (plugin_folder / "cellspan_plugin" / "client.py").unlink()
    shutil.rmtree(plugin_folder / "__pycache__", ignore_errors=True)
    done = run_pipeline(PIPELINE, shared_data / HUMAN, tmp_path / "out")
    assert done.returncode != 0
    assert f'`cellspan install cellprofiler --to "{plugin_folder}"`' in done.stderr, done.stderr
    assert not (tmp_path / "out" / "Nuclei.csv").exists()
