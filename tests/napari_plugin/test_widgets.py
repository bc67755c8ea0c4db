"""Both widgets in a real napari with a real engine: the labels are those of every other door."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellspan.core.parameters import Parameters
from cellspan.core.pictures.reading import read_labels
from cellspan.core.segmenter import Segmenter

pytestmark = pytest.mark.end_to_end

SCRIPT = Path(__file__).parent / "in_napari" / "use_widgets.py"


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that the script has filled, run once for all tests."""
    folder = tmp_path_factory.mktemp("napari")
    own = {"CELLSPAN_RUNTIME_DIR": folder / "runtime", "XDG_DATA_HOME": folder / "data", "XDG_CONFIG_HOME": folder}
    environment = {**os.environ, **{name: str(path) for name, path in own.items()}}
    screen = ["xvfb-run", "-a", "-s", "-screen 0 1400x900x24"]
    done = subprocess.run(
        [*screen, sys.executable, str(SCRIPT), str(folder)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]
    yield folder
    subprocess.run([sys.executable, "-m", "cellspan.core.cli", "service", "stop"], env=environment, check=True)


@pytest.fixture(scope="module")
def report(used: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((used / "report.json").read_text())
    return found


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter("nuclei", "cpu")


def test_a_plane_has_the_labels_of_every_door(used: Path, report: dict[str, Any], segmenter: Segmenter) -> None:
    image, found = np.load(used / "image.npy"), np.load(used / "plane.npy")
    result = segmenter.segment(image, Parameters(model="nuclei"))
    np.testing.assert_array_equal(found, result.labels)
    assert report["words"] == f"{result.count} objects, diameter {result.diameter:.1f} pixels, nuclei"
    assert report["features"] == ["index", "probability", "flow error", "area"]
    assert report["rows"] == result.count + 1  # and the background


def test_other_thresholds_need_no_network(used: Path, report: dict[str, Any], segmenter: Segmenter) -> None:
    expected = segmenter.segment(np.load(used / "image.npy"), Parameters(model="nuclei", cellprob_threshold=3.0))
    np.testing.assert_array_equal(np.load(used / "other.npy"), expected.labels)
    assert report["kept"]


def test_corrected_labels_stay(report: dict[str, Any]) -> None:
    words, unchanged = report["stays"]
    assert words.startswith("You have corrected these labels")
    assert unchanged
    assert report["anew"] == [True, True]


def test_a_line_measures_the_diameter(report: dict[str, Any]) -> None:
    assert report["mode"] == "add_line"
    assert report["diameter"] == 26.5


def test_a_model_that_restores_images(report: dict[str, Any]) -> None:
    [sentence] = report["restoring"]
    assert "denoise_cyto3" in sentence
    assert "models fetch" in sentence


def test_labels_are_saved_for_cellposes_window(used: Path, report: dict[str, Any]) -> None:
    assert report["saved"] == ["nuclei_seg.npy"]
    assert read_labels(used / "nuclei_seg.npy").max() >= 500, "the one that was painted"


def test_every_plane_of_a_stack(used: Path, report: dict[str, Any], segmenter: Segmenter) -> None:
    image = np.load(used / "image.npy")[:160, :160]
    wanted = Parameters(model="nuclei", diameter=26.5, cellprob_threshold=3.0)
    for plane, found in zip((image, image[::-1]), np.load(used / "planes.npy"), strict=True):
        np.testing.assert_array_equal(found, segmenter.segment(np.ascontiguousarray(plane), wanted).labels)
    assert report["joined"] > 0
    assert report["anisotropy"] == 2


def test_what_cannot_be_is_one_sentence(report: dict[str, Any]) -> None:
    [sentence] = report["differ"]
    assert sentence.startswith("The layers of cells and nuclei differ in size")


def test_cancel_takes_the_image_back(report: dict[str, Any]) -> None:
    assert report["cancelled"] == ["Cancelled.", False]


def test_corrected_labels_make_a_model(used: Path, report: dict[str, Any]) -> None:
    assert report["nothing"] == ["Add at least one corrected image first."]
    assert report["added"] == "1 image(s) added; 1 in the folder"
    assert report["taught"] == ["The model taught in napari is ready, here and in every other program."]
    assert list((used / "data").rglob("model.json"))


def test_npe2_knows_the_manifest() -> None:
    done = subprocess.run([sys.executable, "-m", "npe2", "validate", "cellspan"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
