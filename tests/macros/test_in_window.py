"""The macro in the real ImageJ with its windows: the menu command, the dialog, the ROI Manager, the message boxes."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from urllib.parse import quote

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


@pytest.fixture
def imagej(plain_imagej):
    """The macro is for plain ImageJ."""
    return plain_imagej


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


def test_selections(imagej, tmp_path: Path) -> None:
    """What the engine gets of a selection; the selection and the other windows stay, even one called Mask."""
    field = np.random.default_rng(0).integers(0, 255, (48, 64), np.uint8)
    tifffile.imwrite(tmp_path / "field.tif", field)
    stub = [sys.executable, str(PROGRAMS / "engine_that_keeps.py"), str(tmp_path)]
    imagej.engine.write_text("\n".join(map(quote, stub)))
    report = imagej.in_window(PROGRAMS / "selections.ijm", tmp_path / "field.tif", imagej.macro)
    assert len(report.dialogs) == 1
    assert "The selection is outside the image" in report.dialogs[0]
    *lines, copied, outside, mask, last = report.log
    assert copied.startswith("copied oval  40 30 50 50 ")
    assert outside == "outside [aborted] rectangle  70 10 20 10 70,90,90,70;10,10,20,20 field.tif 2"
    assert mask == "mask Mask 64 0 0 0 -1"
    assert last.startswith("ERROR The selection is outside the image: move it, or remove it with")
    assert sorted(report.windows) == ["ImageJ", "Log", "Mask", "field.tif"]
    assert len(lines) == 7 * 4
    for number, (before, after, xs, ys) in enumerate(zip(*[iter(lines)] * 4, strict=True)):
        assert after == before.replace("before", "after")
        inside = np.zeros(field.shape, bool)
        x, y = (np.array(line.split()[1:], float).astype(int) for line in (xs, ys))
        shown = (x >= 0) & (y >= 0) & (x < 64) & (y < 48)
        inside[y[shown], x[shown]] = True
        left, top, width, height = map(int, re.search(r"(-?\d+) (-?\d+) (\d+) (\d+) \S+ field.tif 2$", before).groups())
        box = np.s_[max(0, top) : top + height, max(0, left) : left + width]
        np.testing.assert_array_equal(tifffile.imread(tmp_path / f"image{number}.tif"), field[box])
        place = (tmp_path / f"place{number}.txt").read_text()
        assert (place or "0,0,0,0") == f"{max(0, left)},{max(0, top)},0,0"
        kept = tmp_path / f"mask{number}.tif"
        assert kept.exists() == (not inside[box].all())
        if kept.exists():
            np.testing.assert_array_equal(tifffile.imread(kept), np.where(inside[box], 255, 0))
    assert list(imagej.temporary.iterdir()) == []


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
