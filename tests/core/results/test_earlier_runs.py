"""What the records in a folder say of results that are there already, and of the images that they were made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.results.earlier_runs import UNKNOWN, EarlierRuns
from cellspan.core.results.run_record import RunRecord

pytestmark = pytest.mark.quick
SECOND = 1_000_000_000


def about(diameter: float = 25.0, weights: str = "0", second: int = 5) -> dict[str, Any]:
    return {
        "started": f"2026-01-02T03:04:{second:02}+00:00",
        "parameters": {"model": "nuclei", "diameter": diameter},
        "model": {"weights_sha256": weights},
    }


def source(name: str = "in/a.tif", modified: int | None = 1000 * SECOND) -> dict[str, Any]:
    return {"input": name} if modified is None else {"input": name, "bytes": 9, "modified_ns": modified}


def run(folder: Path, of: dict[str, Any], *images: dict[str, Any], finish: bool = True) -> RunRecord:
    """A run that wrote the labels of these images."""
    record = RunRecord(folder, of)
    for image in images:
        stem = image["input"].replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
        (folder / f"{stem}_labels.tif").touch()
        record.add({**image, "outputs": {"labels": f"{stem}_labels.tif"}})
    if finish:
        record.finish("finished")
        record.__exit__(None, None, None)
    return record


def notes(
    folder: Path, now: dict[str, Any], of: dict[str, Any] | None = None, result: str = "a_labels.tif"
) -> list[str]:
    return EarlierRuns(folder).notes([result], of or about(), now)


def test_the_same_run_has_nothing_to_tell(tmp_path: Path) -> None:
    run(tmp_path, about(), source())
    assert notes(tmp_path, source()) == []


def test_other_parameters_and_models_are_told(tmp_path: Path) -> None:
    run(tmp_path, about(), source())
    [note] = notes(tmp_path, source(), about(30.0, "1"))
    assert "other parameters (diameter 25.0 instead of 30.0) and another model (nuclei)" in note


def test_results_without_a_record_are_told(tmp_path: Path) -> None:
    (tmp_path / "a_labels.tif").touch()
    (tmp_path / "run.json").write_text("{damaged")
    assert notes(tmp_path, source()) == [UNKNOWN]


def test_the_last_writer_counts(tmp_path: Path) -> None:
    run(tmp_path, about(20.0, second=1), source())
    run(tmp_path, about(25.0, second=2), source())
    assert notes(tmp_path, source()) == []


def test_a_run_that_goes_on_is_read_as_it_writes(tmp_path: Path) -> None:
    runs = EarlierRuns(tmp_path)
    going = run(tmp_path, about(), source(), finish=False)
    assert runs.notes(["a_labels.tif"], about(), source()) == []
    going.add({**source("in/b.tif"), "outputs": {"labels": "b_labels.tif"}})
    (tmp_path / "b_labels.tif").touch()
    with pytest.raises(CellspanError, match=r"was made from in/b\.tif"):
        runs.require_same_image(["b_labels.tif"], source("in/b.png"))
    going.finish("finished")
    going.__exit__(None, None, None)


@pytest.mark.parametrize("then", ["in/a.png", "C:\\data\\a.png", "a.png"])
def test_results_of_an_image_with_another_name_are_not_kept_for_this_one(tmp_path: Path, then: str) -> None:
    run(tmp_path, about(), source(then))
    with pytest.raises(CellspanError, match=r"in/a\.tif: a_labels\.tif is there already, but it was made from"):
        EarlierRuns(tmp_path).require_same_image(["a_labels.tif"], source())


@pytest.mark.parametrize("then", ["in/a.tif", "C:\\data\\a.tif", "a.tif", "elsewhere/a.tif"])
def test_the_same_name_elsewhere_may_be_the_same_image(tmp_path: Path, then: str) -> None:
    run(tmp_path, about(), source(then))
    EarlierRuns(tmp_path).require_same_image(["a_labels.tif"], source())
    assert notes(tmp_path, source()) == [], "moved with its time"


def test_an_image_of_the_same_name_that_is_another_one_is_told(tmp_path: Path) -> None:
    run(tmp_path, about(), source("plate1/a.tif", 1000 * SECOND))
    [note] = notes(tmp_path, source("plate2/a.tif", 2000 * SECOND))
    assert "images in plate1/" in note
    assert "in plate2/" in note
    [note] = notes(tmp_path, source("plate1/a.tif", 2000 * SECOND))
    assert "have changed since" in note


@pytest.mark.parametrize("modified", [1001 * SECOND, None])
def test_times_that_disks_round_and_old_records_tell_nothing(tmp_path: Path, modified: int | None) -> None:
    run(tmp_path, about(), source(modified=modified))
    assert notes(tmp_path, source()) == []
