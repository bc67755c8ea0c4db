"""A network of Cellpose 4 on volumes: each channel by itself, nothing resized without a diameter."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.core import Parameters, Segmenter
from cellspan.core.pictures.volume import Volume
from cellspan.core.training.simulate import simulate_nuclei
from cellspan.core.volumes.intensities import Intensities

from ...blob_finder import save_blob_finder

pytest.importorskip("torch")
WHOLE = (slice(0, 3), slice(0, 80), slice(0, 90))
STACK = np.stack([simulate_nuclei((80, 90), diameter=18, seed=1).image] * 3)


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    return Segmenter(str(save_blob_finder(tmp_path_factory.mktemp("models") / "cpsam_v2")), "cpu")


@pytest.mark.quick
@pytest.mark.parametrize(
    ("options", "seen"), [({}, [0, 1]), ({"channel": (1, 0)}, [1, 0]), ({"nuclei_channel": 0, "channel": 1}, [1, 0])]
)
def test_channels_go_in_one_by_one(options: dict, seen: list[int]) -> None:
    volume = Volume(np.random.default_rng(0).integers(100, 2000, (2, 3, 80, 90)).astype(np.uint16))
    planes = Intensities(volume, Parameters(do_3d=True, **options), apart=3).planes(WHOLE)
    assert planes.shape == (3, 3, 80, 90)
    assert not planes[2].any()
    for plane, channel in zip(planes, seen, strict=False):
        expected = Intensities(volume, Parameters(do_3d=True, channel=channel)).planes(WHOLE)[0]
        np.testing.assert_array_equal(plane, expected)


@pytest.mark.quick
def test_a_volume_is_flat_if_all_channels_are() -> None:
    channels = np.zeros((2, 3, 80, 90), np.uint16)
    assert Intensities(Volume(channels), Parameters(do_3d=True), apart=3).is_flat
    channels[1, 0, 0, 0] = 1
    assert not Intensities(Volume(channels), Parameters(do_3d=True), apart=3).is_flat
    assert Intensities(Volume(channels), Parameters(do_3d=True, nuclei_channel=1)).is_flat


def test_slices_that_are_joined(segmenter: Segmenter) -> None:
    plane = segmenter.segment(STACK[0])
    found = segmenter.segment(STACK, Parameters(stitch_threshold=0.5))
    for labels in found.labels:
        np.testing.assert_array_equal(labels > 0, plane.labels > 0)
    assert found.count == plane.count
    assert found.style.shape == (0,)


def test_in_3d(segmenter: Segmenter) -> None:
    words: list[str] = []
    deep = np.repeat(STACK[:1], 20, axis=0)
    deep[:5] = deep[15:] = deep.min()
    found = segmenter.segment(deep, Parameters(do_3d=True), lambda part, message: words.append(message))
    assert found.count >= 3
    assert found.labels.shape == deep.shape
    assert found.diameter == 30  # nothing was resized
    assert words[0].startswith("looking at the whole volume")
