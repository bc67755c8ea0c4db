"""The macro in the real ImageJ with its windows: the menu command, the dialog, the ROI Manager, the message boxes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

pytestmark = pytest.mark.end_to_end

CALLER = """
newImage("field", "8-bit ramp", 64, 64, 1);
run("cellspan Segment", "%s");
print("still running");
"""
PROGRAMS = Path(__file__).parent / "programs"


@pytest.mark.data
def test_every_roi_is_exactly_its_object(imagej, nuclei: Path, expected_labels: np.ndarray, tmp_path: Path) -> None:
    painted = tmp_path / "painted.tif"
    report = imagej.in_window(PROGRAMS / "segment.ijm", nuclei, painted, "model=nuclei")
    assert report.dialogs == []
    count = int(expected_labels.max())
    assert report.log == [
        "selection 3 4 10 12",
        "images 1 1",
        f"count {count}",
        *[f"name {label:04}" for label in range(1, count + 1)],
    ]
    np.testing.assert_array_equal(tifffile.imread(painted), expected_labels)
    assert "ROI Manager" in report.windows
    assert list(imagej.temporary.iterdir()) == []


@pytest.mark.data
def test_settings_reach_the_engine(imagej, engine_home: Path, cellspan, nuclei: Path, tmp_path: Path) -> None:
    options = ["--diameter", 40, "--flow-threshold", 0, "--cellprob-threshold", -1.5, "--min-size", 400]
    cellspan("segment", nuclei, "-o", tmp_path, "--model", "nuclei", *options, "--exclude-on-edges", "--save", "labels")
    expected = tifffile.imread(next(tmp_path.glob("*_labels.tif")))
    settings = "model=nuclei diameter=40 flow_threshold=0 cellprob_threshold=-1.5 min_size=400 exclude_on_edges"
    imagej.in_window(PROGRAMS / "segment.ijm", nuclei, tmp_path / "painted.tif", settings)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "painted.tif"), expected)


@pytest.mark.data
def test_a_person_uses_the_dialog(imagej, nuclei: Path, expected_labels: np.ndarray) -> None:
    caller = 'open(getArgument());\nrun("cellspan Segment");\nprint(roiManager("count"));'
    report = imagej.in_window(caller, nuclei, typed="nuclei")
    assert report.dialogs == ["cellspan Segment:"]
    assert report.log == [str(expected_labels.max())]


@pytest.mark.data
def test_batch_mode_without_a_manager_gets_the_overlay(imagej, nuclei: Path, expected_labels: np.ndarray) -> None:
    caller = """
        setBatchMode(true);
        open(getArgument());
        run("cellspan Segment", "model=nuclei");
        print(Overlay.size, nImages, is("Batch Mode"));
    """
    report = imagej.in_window(caller, nuclei)
    assert report.dialogs == []
    assert report.log == [f"{expected_labels.max()} 1 1"]


def test_no_objects_is_no_error(imagej, engine_home: Path) -> None:
    report = imagej.in_window(CALLER.replace("ramp", "black") % "model=nuclei")
    assert report.dialogs == []
    assert report.log == ["still running"]


def test_the_engine_says_what_is_wrong(imagej, engine_home: Path) -> None:
    assert "There is no model 'none such'" in only_message(imagej, "model=[none such]")


def test_settings_that_are_no_numbers(imagej, engine_home: Path) -> None:
    assert "diameter = 'wide' is not possible" in only_message(imagej, "diameter=wide")


def test_misspelt_settings_are_named(imagej) -> None:
    assert "There is no setting 'diamter'" in only_message(imagej, "model=nuclei diamter=30")


def test_without_the_file_that_names_the_engine(imagej) -> None:
    imagej.engine.unlink()
    assert "cellspan install fiji --to FOLDER" in only_message(imagej, "model=nuclei")


def test_an_engine_that_is_not_there_any_more(imagej) -> None:
    imagej.engine.write_text("/no such/python\n-m\ncellspan.core.cli\n")
    message = only_message(imagej, "model=nuclei")
    assert "did not start" in message
    assert "/no such/python" in message


def test_an_engine_that_dies(imagej) -> None:
    imagej.engine.write_text(f"{sys.executable}\n-c\nraise SystemExit(3)\n")
    assert "cellspan doctor" in only_message(imagej, "model=nuclei")


def test_without_an_image(imagej) -> None:
    report = imagej.in_window('run("cellspan Segment", "model=nuclei"); print("still running");')
    assert len(report.dialogs) == 1
    assert "open the image to segment first" in report.dialogs[0]
    assert report.log == []


def only_message(imagej, settings: str) -> str:
    """The one message that a caller with these settings gets; it must stop the caller and leave nothing behind."""
    report = imagej.in_window(CALLER % settings)
    assert len(report.dialogs) == 1
    assert report.log == []
    assert set(report.windows) == {"ImageJ", "field"}
    assert list(imagej.temporary.iterdir()) == []
    return report.dialogs[0]
