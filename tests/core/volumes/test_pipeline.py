"""A simulated stack of nuclei through the bundled model: in 3D, slice by slice, in blocks, from disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from cellspan.core import Parameters, Segmenter, average_precision
from cellspan.core.dynamics.judging import drop_unwanted
from cellspan.core.errors import Cancelled, CellspanError
from cellspan.core.objects.metrics import best_overlaps
from cellspan.core.pictures.volume import volume_from_array
from cellspan.core.planes.pipeline import PlanePipeline
from cellspan.core.planes.result import Result, object_quality
from cellspan.core.results import volume_files as files
from cellspan.core.training.simulate.volumes import simulated_volume
from cellspan.core.volumes import resampling
from cellspan.core.volumes.pipeline import VolumeTask, segment_volume

ANISOTROPY = 3.0
IN_3D = Parameters(model="nuclei", do_3d=True, diameter=24, anisotropy=ANISOTROPY)
Stack = tuple[NDArray[np.uint16], NDArray[np.int32]]


@pytest.fixture(scope="module")
def stack() -> Stack:
    return simulated_volume(3, (12, 96, 112), ANISOTROPY)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter("nuclei", "cpu")


@pytest.fixture(scope="module")
def whole(segmenter: Segmenter, stack: Stack) -> Result:
    return segmenter.segment(stack[0], IN_3D)


def test_nuclei_are_found_in_3d(whole: Result, stack: Stack) -> None:
    image, true = stack
    assert whole.labels.shape == whole.probability.shape == image.shape
    assert whole.flows.shape == (3, *image.shape)
    assert average_precision(true, whole.labels, [0.5])[0] > 0.75
    assert np.linalg.norm(whole.style) == pytest.approx(1, abs=1e-5)
    means, errors = object_quality(whole)
    assert (means > 0).all()
    assert np.median(errors) < 0.4


def test_blocks_do_not_change_the_objects(segmenter: Segmenter, stack: Stack, whole: Result) -> None:
    """Through the whole path for large volumes: flows on disk, 12 blocks, objects joined across their borders."""
    found, _ = segment_volume(
        PlanePipeline(segmenter.model, segmenter.predictor),
        volume_from_array(stack[0]),
        IN_3D,
        lambda part, words: None,
        core=24,
    )
    assert (best_overlaps(whole.labels, found.labels) >= 0.95).mean() >= 0.98
    assert found.count == whole.count


def test_slices_are_joined(segmenter: Segmenter, stack: Stack) -> None:
    joined = segmenter.segment(stack[0], Parameters(model="nuclei", stitch_threshold=0.25, diameter=22))
    assert joined.flows.shape == (2, *stack[0].shape)
    assert average_precision(stack[1], joined.labels, [0.5])[0] > 0.4
    assert object_quality(joined)[1].max() <= 0.4, "each slice was checked against the flow threshold"


def found_diameter(segmenter: Segmenter, stack: Stack, changes: dict[str, object]) -> float:
    parameters = IN_3D.model_copy(update={"diameter": None, **changes})
    task = VolumeTask(
        PlanePipeline(segmenter.model, segmenter.predictor),
        volume_from_array(stack[0]),
        parameters,
        lambda part, words: None,
    )
    return task.measured_diameter()


def test_the_diameter_is_measured_in_slices(segmenter: Segmenter, stack: Stack) -> None:
    found = segmenter.segment(stack[0], IN_3D.model_copy(update={"diameter": None}))
    assert found.diameter == pytest.approx(20, rel=0.2)
    unfiltered = found_diameter(segmenter, stack, {"min_size": 200, "exclude_on_edges": True})
    assert found.diameter == unfiltered, "what is kept of the objects does not change their measure"


def test_thickness_comes_from_the_file(segmenter: Segmenter, stack: Stack, whole: Result, tmp_path: Path) -> None:
    file = tmp_path / "stack.tif"
    metadata = {"axes": "ZYX", "spacing": 0.75, "unit": "um"}
    tifffile.imwrite(file, stack[0], imagej=True, metadata=metadata, resolution=(4, 4))
    found = segmenter.segment(file, Parameters(model="nuclei", do_3d=True, diameter=24))
    assert found.anisotropy == pytest.approx(3)
    np.testing.assert_array_equal(found.labels, whole.labels)


def test_flows_can_be_smoothed(segmenter: Segmenter, stack: Stack, whole: Result) -> None:
    smoothed = segmenter.segment(stack[0], IN_3D.model_copy(update={"smooth_flows": 1.0}))
    assert average_precision(stack[1], smoothed.labels, [0.5])[0] > 0.75
    roughness = [float(np.abs(np.diff(result.flows, axis=3)).mean()) for result in (whole, smoothed)]
    assert roughness[1] < roughness[0]


def test_it_can_be_cancelled(segmenter: Segmenter, stack: Stack) -> None:
    def stop(fraction: float, words: str) -> None:
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        segmenter.segment(stack[0], IN_3D, stop)


def test_sizes_edges_and_constant_volumes(segmenter: Segmenter, stack: Stack, whole: Result) -> None:
    largest = int(np.bincount(whole.labels.ravel())[1:].max())
    strict = IN_3D.model_copy(update={"min_size": largest, "exclude_on_edges": False})
    assert segmenter.segment(stack[0], strict).count == 1
    nothing = segmenter.segment(np.full((6, 40, 40), 7, np.uint16), IN_3D)
    assert nothing.count == 0
    assert "constant" in nothing.notes[-1]


def test_what_is_no_volume_is_said_so(segmenter: Segmenter) -> None:
    volume = np.zeros((4, 20, 20), np.float32)
    volume[1, 2, 3:6] = np.inf
    with pytest.raises(CellspanError, match="3 voxels are NaN or infinite"):
        segmenter.segment(volume, IN_3D)
    with pytest.raises(CellspanError, match="a volume has the axes Z, Y, X"):
        segmenter.segment(np.zeros((20, 20), np.uint8), IN_3D)
    with pytest.raises(CellspanError, match="channel = 2, but the image has 1"):
        segmenter.segment(np.zeros((4, 20, 20), np.uint8), IN_3D.model_copy(update={"channel": 2}))
    with pytest.raises(CellspanError, match="this is a volume: choose do_3d"):
        segmenter.segment(volume_from_array(np.zeros((4, 20, 20), np.uint8)), Parameters(model="nuclei"))


def test_results_on_disk_are_those_in_memory(
    segmenter: Segmenter, stack: Stack, whole: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SHARE", 0.0)
    monkeypatch.setattr(resampling, "VOXELS_AT_ONCE", 30_000)
    source = tmp_path / "stack.tif"
    tifffile.imwrite(source, stack[0], metadata={"axes": "ZYX"})
    outputs = {kind: tmp_path / f"stack_{kind}" for kind in ("labels", "flows", "probability")}
    outputs = {kind: path.with_suffix(".tif") for kind, path in outputs.items()}
    record = files.segment_volume_file(segmenter, source, outputs, IN_3D, lambda part, words: None)
    labels = tifffile.imread(outputs["labels"])
    assert record["objects"] == labels.max() == whole.count
    assert average_precision(whole.labels, labels, [0.999])[0] == 1
    np.testing.assert_allclose(tifffile.imread(outputs["probability"]), whole.probability, atol=1e-5)
    assert tifffile.imread(outputs["flows"]).shape == whole.flows.shape
    strict = IN_3D.model_copy(update={"exclude_on_edges": True, "min_size": 900})
    record = files.segment_volume_file(segmenter, source, {"labels": outputs["labels"]}, strict, lambda *_: None)
    expected = drop_unwanted(whole.labels, strict)
    assert record["objects"] == expected.max()
    np.testing.assert_array_equal(tifffile.imread(outputs["labels"]) > 0, expected > 0)


@pytest.mark.parametrize("anisotropy", [1.0, 3.0, 5.0, 8.0])
def test_no_object_is_a_ring(segmenter: Segmenter, anisotropy: float) -> None:
    """With the right anisotropy no object is a shell around another one: each holds its own centre."""
    image, true = simulated_volume(5, (max(6, round(32 / anisotropy)), 80, 80), anisotropy)
    found = segmenter.segment(image, IN_3D.model_copy(update={"anisotropy": anisotropy})).labels
    assert average_precision(true, found, [0.5])[0] > 0.6
    for label in range(1, int(found.max()) + 1):
        z, y, x = (int(axis.mean().round()) for axis in np.nonzero(found == label))
        assert found[z, y, x] == label


def test_nan_outside_a_mask_is_background(segmenter: Segmenter) -> None:
    volume = np.random.default_rng(0).normal(100, 10, (4, 30, 30)).astype(np.float32)
    volume[:, :10] = np.nan
    found = segmenter.segment(volume, IN_3D)
    assert "1200 of 3600 voxels are NaN" in found.notes[0]
    assert np.isfinite(found.probability).all()
    with pytest.raises(CellspanError, match="all voxels are NaN"):
        segmenter.segment(np.full((4, 30, 30), np.nan, np.float32), IN_3D)


@pytest.mark.parametrize("options", [{}, {"do_3d": False, "stitch_threshold": 0.25}, {"diameter": None}])
def test_no_object_lies_outside_a_mask(segmenter: Segmenter, stack: Stack, options: dict[str, object]) -> None:
    parameters = IN_3D.model_copy(update=options)
    mask = np.zeros(stack[0].shape, bool)
    mask[2:9, 10:70, 20:100] = True
    result = segmenter.segment(stack[0], parameters, mask=mask)
    assert result.count > 3
    assert not result.labels[~mask].any()
    assert sorted(np.unique(result.labels)) == list(range(result.count + 1))
    wild = np.where(mask, stack[0].astype(np.float32), np.inf)
    np.testing.assert_array_equal(segmenter.segment(wild, parameters, mask=mask).labels, result.labels)
    inner = segmenter.segment(stack[0], parameters.model_copy(update={"exclude_on_edges": True}), mask=mask).labels
    assert inner.max() < result.count
    assert not inner[:, 10].any()
    assert not inner[:, :, 20].any()
    assert not inner[2].any()
