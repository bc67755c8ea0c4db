"""Many images: each has all its results or none, and going on after a stop costs nothing."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile

from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.inputs import Input, find_inputs
from cellspan.core.pictures.several import every_series
from cellspan.core.planes.result import Result
from cellspan.core.results import plane_files
from cellspan.core.results.batch import Batch, Existing, Outcome, segment_files
from cellspan.core.results.outputs import ENDINGS

pytestmark = pytest.mark.quick
KINDS = ("labels", "rois", "overlay", "table")


class FakeSegmenter:
    """Finds one square in every image, and does something else before if it is asked to."""

    def __init__(self, meanwhile: Callable[[], object] = lambda: None, weights: str = "0" * 64) -> None:
        self.model = SimpleNamespace(identity={"name": "fake", "weights_sha256": weights})
        self.predictor = SimpleNamespace(device="cpu")
        self.meanwhile = meanwhile

    def segment(self, image: Image, parameters: Parameters, on_progress: Callable[[float, str], None]) -> Result:
        self.meanwhile()
        on_progress(0.5, "running the network")
        labels = np.zeros(image.shape, np.int32)
        labels[2:6, 2:6] = 1
        flows, probability = np.zeros((2, *image.shape), np.float32), np.zeros(image.shape, np.float32)
        return Result(labels, flows, probability, 4.0, np.zeros(0, np.float32), "fake", "0" * 64, "cpu", 0.0)


def write_images(folder: Path, *names: Any) -> list[Path]:
    """Small images with something in them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        tifffile.imwrite(folder / name, np.arange(100, dtype=np.uint8).reshape(10, 10))
    return [folder / name for name in names]


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return write_images(tmp_path / "in", "a.tif", "b.tif", "c.tif")


def segment(
    images: Sequence[Path],
    out: Path,
    existing: Existing = "refuse",
    kinds: Sequence[str] = KINDS,
    segmenter: Any = None,
    is_stopped: Callable[[], bool] = lambda: False,
    **parameters: Any,
) -> Outcome:
    batch = Batch(segmenter or FakeSegmenter(), out, Parameters(**parameters), kinds, existing)
    return segment_files(batch, [Input(path, Path()) for path in images], is_stopped=is_stopped)


def kinds_of(out: Path, stem: str) -> set[str]:
    return {kind for kind, ending in ENDINGS.items() if (out / f"{stem}{ending}").exists()}


def fate(record: dict[str, Any]) -> str:
    return "failed" if "error" in record else "skipped" if "skipped" in record else "done"


def fates(outcome: Outcome) -> list[str]:
    return [fate(record) for record in outcome.records]


def hidden_files(out: Path) -> list[Path]:
    return list(out.rglob(".*"))


def test_no_kind_appears_if_one_cannot_be_written(
    images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, columns: object) -> None:
        path.write_text("label")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(plane_files, "write_table", full)
    outcome = segment(images, tmp_path / "out")
    assert fates(outcome) == ["failed"] * 3
    assert "a_objects.csv: the file cannot be written (No space left on device)" in outcome.records[0]["error"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["run.json"]


def test_going_on_skips_what_is_complete(images: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    segment(images[:2], out)
    (out / "b_rois.zip").unlink()
    labels = (out / "b_labels.tif").stat().st_mtime_ns
    outcome = segment(images, out, "skip")
    assert fates(outcome) == ["skipped", "done", "done"]
    assert outcome.records[0]["notes"] == []
    assert kinds_of(out, "b") == set(KINDS)
    assert (out / "b_labels.tif").stat().st_mtime_ns != labels, "the set would be of two runs"
    assert fates(segment(images, out, "skip", (*KINDS, "flows"))) == ["done"] * 3
    assert fates(segment(images, out, "refuse")) == ["failed"] * 3
    assert fates(segment(images, out, "overwrite")) == ["done"] * 3
    assert hidden_files(out) == []


def test_kept_results_of_other_parameters_are_one_note(images: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    segment(images[:2], out, diameter=25)
    outcome = segment(images, out, "skip", diameter=30)
    [note] = {note for record in outcome.records for note in record.get("notes", [])}
    assert "other parameters (diameter 25.0 instead of 30.0)" in note
    # Who skips does not become the writer.
    assert segment(images[:1], out, "skip", diameter=30).records[0]["notes"] == [note]
    assert segment(images[2:], out, "skip", diameter=30).records[0]["notes"] == []
    other = segment(images[2:], out, "skip", segmenter=FakeSegmenter(weights="1" * 64), diameter=30)
    assert "another model" in other.records[0]["notes"][0]
    for record in out.glob("run*.json"):
        record.unlink()
    assert "No record in the folder says" in segment(images[:1], out, "skip").records[0]["notes"][0]


def test_a_stop_leaves_whole_images_only(images: list[Path], tmp_path: Path) -> None:
    seen: list[int] = []
    segmenter = FakeSegmenter(meanwhile=lambda: seen.append(1))
    outcome = segment(images, tmp_path, segmenter=segmenter, is_stopped=lambda: len(seen) == 2)
    assert outcome.stopped
    assert fates(outcome) == ["done"]
    run = json.loads((tmp_path / "run.json").read_text())
    assert (run["ended"], len(run["inputs"])) == ("stopped", 1)
    assert kinds_of(tmp_path, "a") == set(KINDS)
    assert kinds_of(tmp_path, "b") == set()
    assert hidden_files(tmp_path) == []


def test_a_second_ctrl_c_keeps_the_record(images: list[Path], tmp_path: Path) -> None:
    class Impatient(FakeSegmenter):
        def segment(self, image: Any, *rest: Any) -> Any:
            if (tmp_path / "a_labels.tif").exists():
                raise KeyboardInterrupt
            return super().segment(image, *rest)

    with pytest.raises(KeyboardInterrupt):
        segment(images, tmp_path, segmenter=Impatient())
    assert json.loads((tmp_path / "run.json").read_text())["ended"] == "stopped"


@pytest.mark.parametrize(("existing", "expected"), [("refuse", "failed"), ("overwrite", "failed"), ("skip", "skipped")])
def test_another_run_writes_the_same_image_meanwhile(
    images: list[Path], tmp_path: Path, existing: Existing, expected: str
) -> None:
    out = tmp_path / "out"
    if existing == "overwrite":
        segment(images[:1], out)
    other = FakeSegmenter(meanwhile=lambda: segment(images[:1], out, "overwrite", diameter=9))
    outcome = segment(images[:1], out, existing, segmenter=other)
    assert fates(outcome) == [expected]
    assert kinds_of(out, "a") == set(KINDS)
    assert hidden_files(out) == []
    if expected == "failed":
        assert "another run has written this result meanwhile" in outcome.records[0]["error"]
    else:
        assert "diameter 9.0" in outcome.records[0]["notes"][0]


def test_names_that_are_too_long_or_no_text(tmp_path: Path) -> None:
    odd = os.fsdecode(b"b_\xe4.tif")
    try:
        images = write_images(tmp_path / "in", "l" * 245 + ".tif", odd, "é" * 110 + ".tif")
    except OSError:
        pytest.skip("this file system has no such names")
    outcome = segment(images, tmp_path / "out", kinds=("labels", "rois", "overlay", "table", "flows", "probability"))
    assert fates(outcome) == ["failed", "done", "done"]
    assert "this name is too long" in outcome.records[0]["error"]
    recorded = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))["inputs"]
    assert recorded[1]["input"] == str(images[1])
    assert (tmp_path / "out" / recorded[1]["outputs"]["labels"]).exists()


def test_results_of_another_image_are_not_taken_for_those_of_this_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = write_images(tmp_path / "in", "a.tif")
    second = write_images(tmp_path / "in", "a.tiff")
    segment(first, out)
    outcome = segment(second, out, "skip")
    assert fates(outcome) == ["failed"]
    assert f"it was made from {first[0]}" in outcome.records[0]["error"]
    elsewhere = write_images(tmp_path / "in2", "a.tif")
    os.utime(elsewhere[0], (1e9, 1e9))
    outcome = segment(elsewhere, out, "skip")
    assert fates(outcome) == ["skipped"]
    [note] = outcome.records[0]["notes"]
    assert f"images in {tmp_path / 'in'}{os.sep}" in note


def test_names_that_differ_by_their_suffix_or_folder_collide_with_a_sentence(tmp_path: Path) -> None:
    images = [*write_images(tmp_path / "in", "a.tif", "a.tiff"), *write_images(tmp_path / "in2", "a.tif")]
    outcome = segment(images, tmp_path / "out", "overwrite")
    assert fates(outcome) == ["done", "failed", "failed"]
    assert all(f"would have the names of those of {images[0]}" in record["error"] for record in outcome.records[1:])


@pytest.mark.parametrize("existing", ["refuse", "overwrite", "skip"])
def test_no_result_replaces_an_input(tmp_path: Path, existing: Existing) -> None:
    images = write_images(tmp_path / "in", "a.tif", "a_labels.tif")
    before = images[1].read_bytes()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    outcome = segment(images, tmp_path / "link", existing)
    assert fates(outcome) == ["failed", "done"]
    assert "its result a_labels.tif would replace an image" in outcome.records[0]["error"]
    assert images[1].read_bytes() == before


def test_a_folder_that_has_grown_gets_the_rest(images: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "in"  # beside the images
    segment(images, out)
    notes: list[str] = []
    more = write_images(tmp_path / "in", "d.tif")
    inputs = find_inputs([str(tmp_path / "in")], notes.append)
    assert [item.path for item in inputs] == [*images, *more]
    assert "6 files were left out" in notes[0]
    outcome = segment([item.path for item in inputs], out, "skip")
    assert fates(outcome) == ["skipped"] * 3 + ["done"]
    assert outcome.records[0]["notes"] == []


def test_the_record_tells_what_was_left_out(images: list[Path], tmp_path: Path) -> None:
    batch = Batch(FakeSegmenter(), tmp_path / "out", Parameters(), KINDS, notes=["1 file was left out."])  # type: ignore[arg-type]
    segment_files(batch, [Input(images[0], Path())])
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["notes"] == ["1 file was left out."]
    assert record["inputs"][0]["bytes"] == images[0].stat().st_size


def test_the_size_of_a_pixel_reaches_every_result(
    images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def calibrated(path: Path, series: int | None = None) -> Image:
        return Image(tifffile.imread(path)[None], False, (0.5, 0.25), "µm")

    monkeypatch.setattr(plane_files, "read_image", calibrated)
    assert fates(segment(images[:1], tmp_path / "out")) == ["done"]
    assert "area_um2,diameter_um" in (tmp_path / "out" / "a_objects.csv").read_text()
    with tifffile.TiffFile(tmp_path / "out" / "a_labels.tif") as tiff:
        assert tiff.pages[0].get_resolution() == (4, 2)  # type: ignore[union-attr]


def test_every_image_of_a_file_has_its_results_and_its_record(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as file:
        for k in range(2):
            file.write(np.full((10, 12 + k), k + 1, np.uint8), metadata={"axes": "YX"})
    inputs = every_series([Input(tmp_path / "a.ome.tif", Path())])
    segmenter: Any = FakeSegmenter()
    out = tmp_path / "out"
    outcome = segment_files(Batch(segmenter, out, Parameters(), ["labels"]), inputs)
    assert [(Path(record["input"]).name, record["series"]) for record in outcome.records] == [
        ("a.ome.tif", 0),
        ("a.ome.tif", 1),
    ]
    for k in range(2):
        assert tifffile.imread(out / f"a.ome_s{k}_labels.tif").shape == (10, 12 + k)
    again = segment_files(Batch(segmenter, out, Parameters(), ["labels"], "skip"), inputs)
    assert [(record["series"], "skipped" in record) for record in again.records] == [(0, True), (1, True)]
