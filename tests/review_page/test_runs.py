"""The records of runs: which images they name, and how the results of each were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cellspan.core.pictures.inputs import Input
from cellspan.review_page.runs import Runs

pytestmark = pytest.mark.quick


def record(folder: Path, name: str, diameter: float, *inputs: dict[str, Any], started: str = "2026-01-01") -> None:
    about = {"started": started, "parameters": {"diameter": diameter}, "model": {"name": "nuclei"}, "ended": "finished"}
    (folder / name).write_text(json.dumps({**about, "inputs": list(inputs)}))


def image(path: Path | str, stem: str, **more: Any) -> dict[str, Any]:
    return {"input": str(path), "objects": 3, "diameter": 12.5, "outputs": {"rois": f"{stem}_rois.zip"}, **more}


def test_the_latest_run_counts(tmp_path: Path) -> None:
    record(tmp_path, "run.json", 30, image("/a/x.tif", "x", notes=["dim"]), started="2026-02-02")
    record(tmp_path, "run-2026-01-01.json", 20, image("/a/x.tif", "x"), image("/a/y.tif", "y"))
    runs = Runs(tmp_path)
    assert runs.parameters == {"diameter": 30}
    made = runs.of(Input(Path("/a/x.tif"), Path()))
    assert made is not None
    assert (made.parameters, made.diameter, made.model, made.notes) == ({"diameter": 30}, 12.5, "nuclei", ["dim"])
    other = runs.of(Input(Path("/a/y.tif"), Path()))
    assert other is not None
    assert other.parameters == {"diameter": 20}
    assert runs.of(Input(Path("/a/z.tif"), Path())) is None


def test_images_of_a_record(tmp_path: Path) -> None:
    images, results = tmp_path / "images", tmp_path / "results"
    images.mkdir()
    results.mkdir()
    (images / "y.tif").touch()
    inputs = (image("images/y.tif", "b/y"), image("/a/x.lif", "a/x_s1", series=1), image("s.tif", "s", skipped="yes"))
    record(
        results, "run.json", 20, *inputs, {"input": "z.tif", "error": "damaged"}, image("s.tif", "s", skipped="there")
    )
    first, second = Runs(results).inputs(here=Path("/nowhere"))
    assert first == Input(Path("/a/x.lif"), Path("a"), 1)
    assert second == Input(tmp_path / "images" / "y.tif", Path("b"))


def test_a_run_that_goes_on_and_damaged_records(tmp_path: Path) -> None:
    lines = [{"started": "2026", "parameters": {"diameter": 9}}, image("x.tif", "x")]
    (tmp_path / "run-2026-1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"input": "torn')
    (tmp_path / "run.json").write_text("{")
    (tmp_path / "run-2025.json").write_text("[1]")
    assert list(Runs(tmp_path).made) == ["x_labels.tif"]


def test_no_folder(tmp_path: Path) -> None:
    assert not Runs(tmp_path / "none").made
