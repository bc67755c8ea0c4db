"""Other thresholds for images in a folder, without the network: the labels are those of a fresh run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import image_from_array
from cellspan.core.planes.result import Result
from cellspan.core.results.kept_outputs import result_from, save_outputs_of_network
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.simulate import simulate_nuclei

from ...blob_finder import save_blob_finder

PARAMETERS = Parameters(model="nuclei")


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter("nuclei", "cpu")


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return simulate_nuclei((150, 170), 20, coverage=0.3, seed=2).image


@pytest.fixture(scope="module")
def result(segmenter: Segmenter, pixels: np.ndarray) -> Result:
    return segmenter.segment(pixels, PARAMETERS)


@pytest.fixture
def file(result: Result, pixels: np.ndarray, tmp_path: Path) -> Path:
    path = tmp_path / "a_network.npz"
    save_outputs_of_network(path, result, image_from_array(pixels))
    return path


def test_of_a_model_that_needs_no_diameter(pixels: np.ndarray, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    model = Segmenter(str(save_blob_finder(tmp_path / "cpsam_v2")), "cpu")
    image, parameters = image_from_array(pixels), Parameters(model="cpsam_v2", min_size=60)
    save_outputs_of_network(tmp_path / "kept.npz", model.segment(image, Parameters(model="cpsam_v2")), image)
    again, why = result_from(tmp_path / "kept.npz", image, parameters, model)
    assert again is not None, why
    fresh = model.segment(image, parameters)
    np.testing.assert_array_equal(again.labels, fresh.labels)
    assert again.diameter == fresh.diameter
    assert again.style.shape == fresh.style.shape == (0,)


@pytest.mark.parametrize("change", [{}, {"flow_threshold": 0.1}, {"resample": False}, {"cellprob_threshold": 1.5}])
def test_they_give_what_a_fresh_run_gives(
    segmenter: Segmenter, pixels: np.ndarray, file: Path, change: dict[str, object]
) -> None:
    parameters = PARAMETERS.model_copy(update=change)
    again, why = result_from(file, image_from_array(pixels), parameters, segmenter)
    assert again is not None, why
    fresh = segmenter.segment(pixels, parameters)
    assert np.array_equal(again.labels, fresh.labels)
    assert np.array_equal(again.flows, fresh.flows)
    assert (again.diameter, again.model_sha256, again.notes) == (fresh.diameter, fresh.model_sha256, fresh.notes)
    assert np.array_equal(again.style, fresh.style)


def test_what_does_not_fit_says_why(segmenter: Segmenter, pixels: np.ndarray, file: Path, tmp_path: Path) -> None:
    image = image_from_array(pixels)
    assert result_from(tmp_path / "none.npz", image, PARAMETERS, segmenter) == (None, "")
    wider = PARAMETERS.model_copy(update={"diameter": 30.0})
    assert result_from(file, image, wider, segmenter) == (None, "diameter has changed")
    assert result_from(file, image_from_array(pixels + 1), PARAMETERS, segmenter) == (None, "the image has changed")
    other = Segmenter("cyto", "cpu")
    assert result_from(file, image, PARAMETERS, other) == (None, "the model is another one")
    whole = file.read_bytes()
    for damaged in (b"", whole[:1000], whole[:-500], b"PK" + bytes(3000)):
        file.write_bytes(damaged)
        found, why = result_from(file, image, PARAMETERS, segmenter)
        assert found is None
        assert why.startswith("a_network.npz ")


@pytest.mark.end_to_end
def test_in_the_shell(pixels: np.ndarray, cellspan: Callable, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    words = ["segment", tmp_path / "a.tif", "-o", tmp_path / "out", "--model", "nuclei", "--save", "labels"]
    assert "asked again" not in cellspan(*words).stderr
    done = cellspan(*words, "--reuse-flows", "--overwrite")
    assert "asked again: the run before kept nothing of it; give --reuse-flows to the first run, too" in done.stderr
    assert (tmp_path / "out" / "a_network.npz").exists()
    done = cellspan(*words, "--reuse-flows", "--overwrite", "--cellprob-threshold", 3)
    assert "asked again" not in done.stderr
    reused = tifffile.imread(tmp_path / "out" / "a_labels.tif")
    cellspan(*words, "--overwrite", "--cellprob-threshold", 3)
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "a_labels.tif"), reused)
    done = cellspan(*words, "--reuse-flows", "--overwrite", "--diameter", 25)
    assert "Note: The network was asked again: diameter has changed." in done.stderr
    done = cellspan(*words, "--reuse-flows", "--do-3d", check=False)
    assert (done.returncode, "volumes is not kept" in done.stderr) == (2, True)
    done = cellspan(*words, "--do-3d", "--save", "outlines", check=False)
    assert (done.returncode, "Outlines as text are for planes" in done.stderr) == (2, True)
