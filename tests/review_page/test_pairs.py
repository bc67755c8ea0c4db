"""Training pairs: found by `cellspan train`, holding what the model sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.inputs import Input
from cellspan.core.training.pairs import find_pairs
from cellspan.review_page.image import ReviewImage
from cellspan.review_page.pairs import seen_by_model, write_pairs
from cellspan.review_page.runs import Made

pytestmark = pytest.mark.quick
RNG = np.random.default_rng(0)


def image_of(folder: Path, pixels: np.ndarray, labels: np.ndarray, axes: str, **parameters: Any) -> ReviewImage:
    tifffile.imwrite(folder / "a.tif", pixels, photometric="minisblack", metadata={"axes": axes})
    tifffile.imwrite(folder / "a_labels.tif", labels.astype(np.uint16), photometric="minisblack")
    return ReviewImage(Input(folder / "a.tif", Path()), folder, folder, Made("a.tif", None, parameters, "nuclei"))


def test_a_plane_with_its_nuclei(tmp_path: Path, disks: np.ndarray) -> None:
    pixels = RNG.integers(0, 999, (3, 80, 100)).astype(np.uint16)
    image = image_of(tmp_path, pixels, np.where(disks == 2, 9, disks), "CYX", channel=2, nuclei_channel=0)
    [written] = write_pairs(image, tmp_path / "pairs")
    np.testing.assert_array_equal(tifffile.imread(written), pixels[[2, 0]])
    [pair] = find_pairs(tmp_path / "pairs")
    assert (pair.image, pair.masks.name) == (written, "a_masks.tif")
    masks = tifffile.imread(pair.masks)
    assert set(np.unique(masks)) == {0, 1, 2, 3}
    np.testing.assert_array_equal(masks > 0, disks > 0)


def test_every_slice_with_objects(tmp_path: Path, disks: np.ndarray) -> None:
    pixels = RNG.integers(0, 999, (3, 80, 100)).astype(np.uint16)
    labels = np.stack([disks, disks * 0, disks])
    image = image_of(tmp_path, pixels, labels, "ZYX", diameter=9, of_tomorrow=1)
    written = write_pairs(image, tmp_path / "pairs")
    assert [path.name for path in written] == ["a_0000_img.tif", "a_0002_img.tif"]
    np.testing.assert_array_equal(tifffile.imread(written[1]), pixels[2])


def test_an_image_without_objects_is_refused(tmp_path: Path, disks: np.ndarray) -> None:
    image = image_of(tmp_path, disks.astype(np.uint8), disks * 0, "YX")
    with pytest.raises(CellspanError, match=r"a\.tif has no objects"):
        write_pairs(image, tmp_path / "pairs")


CHANNELS = RNG.integers(5, 250, (3, 9, 8)).astype(np.uint8)


@pytest.mark.parametrize(
    ("given", "parameters", "expected"),
    [
        (Image(CHANNELS), {}, CHANNELS[0]),
        (Image(CHANNELS, main=1), {}, CHANNELS[1]),
        (Image(CHANNELS, is_rgb=True), {}, CHANNELS.transpose(1, 2, 0)),
        (Image(CHANNELS, is_rgb=True), {"channel": 2}, CHANNELS[2]),
        (Image(CHANNELS), {"channel": 1, "invert": True}, CHANNELS[1].max() - (CHANNELS[1] - CHANNELS[1].min())),
    ],
)
def test_what_the_model_sees(given: Image, parameters: dict[str, Any], expected: np.ndarray) -> None:
    pixels, is_rgb = seen_by_model(given, Parameters(**parameters))
    np.testing.assert_array_equal(pixels, expected)
    assert is_rgb == (expected.ndim == 3)


def test_several_channels_are_combined() -> None:
    mean, _ = seen_by_model(Image(CHANNELS), Parameters(channel=(0, 2)))
    most, _ = seen_by_model(Image(CHANNELS), Parameters(channel=(0, 2), combine="maximum"))
    assert mean.shape == most.shape == (9, 8)
    assert (most >= mean - 1e-6).all()


def test_a_missing_channel() -> None:
    with pytest.raises(CellspanError, match="nuclei_channel = 5"):
        seen_by_model(Image(CHANNELS), Parameters(channel=0, nuclei_channel=5))
