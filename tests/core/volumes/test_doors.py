"""Volumes through the command line and the service: the same labels, every kind of result, progress, stopping."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from roifile import roiread

from cellspan.core import Parameters, Segmenter
from cellspan.core.planes.result import Result
from cellspan.core.service.client import NPY, Engine, as_npy
from cellspan.core.service.engine import Client
from cellspan.core.service.engine import Engine as EngineProcess
from cellspan.core.service.uploads import Uploads
from cellspan.core.training.simulate.volumes import simulated_volume

pytestmark = pytest.mark.end_to_end
SERVE = [sys.executable, "-m", "cellspan.core.cli", "serve"]
OPTIONS = {"model": "nuclei", "do_3d": True, "diameter": 24.0}
ANISOTROPY = 3.0


@pytest.fixture(scope="module")
def image() -> NDArray[np.uint16]:
    return simulated_volume(4, (8, 80, 96), ANISOTROPY)[0]


@pytest.fixture(scope="module")
def expected(image: NDArray[np.uint16]) -> Result:
    return Segmenter("nuclei", "cpu").segment(image, Parameters(**OPTIONS, anisotropy=ANISOTROPY))


@pytest.fixture
def file(image: NDArray[np.uint16], tmp_path: Path) -> Path:
    """As ImageJ saves it: pixels of 0.5 um, slices 1.5 um apart."""
    path = tmp_path / "stack.tif"
    metadata = {"axes": "ZYX", "spacing": 1.5, "unit": "um"}
    tifffile.imwrite(path, image, imagej=True, metadata=metadata, resolution=(2, 2))
    return path


def test_command_line(file: Path, expected: Result, cellspan: Callable, tmp_path: Path) -> None:
    out = tmp_path / "out"
    cellspan("segment", file, "-o", out, "--model", "nuclei", "--do-3d", "--diameter", 24)
    with tifffile.TiffFile(out / "stack_labels.tif") as tiff:
        np.testing.assert_array_equal(tiff.asarray(), expected.labels)
        assert tiff.imagej_metadata["spacing"] == 1.5
    record = json.loads((out / "run.json").read_text())["inputs"][0]
    assert (record["objects"], record["anisotropy"]) == (expected.count, 3.0)
    with (out / "stack_objects.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert [int(row["volume"]) for row in rows] == np.bincount(expected.labels.ravel())[1:].tolist()
    assert float(rows[0]["volume_um3"]) == pytest.approx(int(rows[0]["volume"]) * 0.5 * 0.5 * 1.5, rel=1e-4)
    rois = roiread(out / "stack_rois.zip")
    assert {roi.name.split("-")[1] for roi in rois} == {f"{label:04d}" for label in range(1, expected.count + 1)}
    assert imageio.imread(out / "stack_overlay.png").shape == (80, 96, 3)
    assert imageio.imread(out / "stack_orthogonal.png").shape == (80 + 2 + 24, 96 + 2 + 24, 3)


def test_a_volume_without_one_of_its_pictures_is_not_done(file: Path, cellspan: Callable, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ("segment", file, "-o", out, "--model", "nuclei", "--stitch-threshold", 0.3, "--diameter", 24)
    cellspan(*command)
    refused = cellspan(*command, check=False)
    assert "exists already" in refused.stderr
    assert "1 more were there already" in cellspan(*command, "--skip-existing").stdout
    (out / "stack_orthogonal.png").unlink()
    assert "in 1 of 1 images" in cellspan(*command, "--skip-existing").stdout
    assert (out / "stack_orthogonal.png").exists()
    assert not list(out.glob(".*"))


def test_stack_without_a_word_about_volumes(file: Path, cellspan: Callable, tmp_path: Path) -> None:
    done = cellspan("segment", file, "-o", tmp_path / "out", "--model", "nuclei", check=False)
    assert done.returncode == 1
    assert "the file holds 8 z-slices where one plane is needed: " in done.stderr


def test_service(image: NDArray[np.uint16], file: Path, expected: Result, engine_home: Path) -> None:
    engine, heard = Engine(SERVE), []
    result = engine.segment(
        image, {**OPTIONS, "anisotropy": ANISOTROPY}, lambda part, words: heard.append(words), ("objects",)
    )
    np.testing.assert_array_equal(result.labels, expected.labels)
    assert result.extra["objects"].shape == (2, expected.count)
    assert any(words.startswith("running the network on slice") for words in heard)
    result, files = engine.run(file.read_bytes(), "image/tiff", OPTIONS, also={"rois": "application/zip"})
    np.testing.assert_array_equal(result.labels, expected.labels)
    (engine_home / "rois.zip").write_bytes(files["rois"])
    assert len(roiread(engine_home / "rois.zip")) >= expected.count


def test_a_cancelled_volume_frees_the_engine_within_two_seconds(engine_home: Path) -> None:
    engine, nothing = Engine(SERVE), np.zeros((32, 32), np.uint8)
    engine.segment(nothing, {"model": "nuclei", "diameter": 24})  # the engine is warm

    def press_stop(part: float, words: str) -> None:
        if words.startswith("running the network on slice"):
            raise KeyboardInterrupt

    volume = simulated_volume(0, (48, 192, 192))[0]
    with pytest.raises(KeyboardInterrupt):
        engine.segment(volume, {**OPTIONS, "anisotropy": 1}, press_stop)
    stopped = time.monotonic()
    # Only the next job tells: the service forgets a cancelled one at once, while its worker may still be at it.
    engine.segment(nothing, {"model": "nuclei", "diameter": 24})
    assert time.monotonic() - stopped < 20, "not even with the machine busy otherwise"


def test_a_cancelled_volume_ends_before_its_last_slice() -> None:
    """Seen in the job itself, so that a volume which was finished all the same would be noticed."""
    engine, upload = EngineProcess(), Uploads().begin(NPY, None)
    upload.write(as_npy(simulated_volume(0, (24, 96, 96))[0]))
    job = engine.submit(upload, Parameters(**OPTIONS, anisotropy=1), "cpu", Client(), None)
    while not job.message.startswith("running the network on slice"):
        assert not job.over, job.message
        time.sleep(0.001)
    engine.delete(job)
    while not job.over:
        time.sleep(0.01)
    engine.stop()
    assert engine.join(10)
    assert (job.state, job.result) == ("cancelled", None)
    assert job.progress < 0.9, "the network was not stopped"
