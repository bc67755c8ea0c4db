"""A training pair is written whole and comes back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from roifile import ImagejRoi

from cellspan.core.errors import CellspanError
from cellspan.core.objects.outlines import labels_to_rois
from cellspan.core.pictures.reading import read_image, read_labels
from cellspan.core.training.pair_files import write_outlined_pair, write_pair
from cellspan.core.training.pairs import find_pairs
from cellspan.core.training.roi_sets import read_annotation

pytestmark = pytest.mark.quick
LABELS = np.zeros((20, 30), np.int32)
LABELS[2:9, 3:12], LABELS[11:18, 15:28] = 1, 2


@pytest.mark.parametrize(("shape", "is_rgb"), [((20, 30), False), ((2, 20, 30), False), ((20, 30, 3), True)])
def test_a_pair_comes_back(tmp_path: Path, shape: tuple[int, ...], is_rgb: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    image = write_pair(tmp_path, "a", pixels, is_rgb, LABELS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_img.tif", "a_masks.tif"]
    [pair] = find_pairs(tmp_path)
    assert pair.image == image
    found = read_image(pair.image)
    assert found.is_rgb == is_rgb
    np.testing.assert_array_equal(found.channels, pixels.transpose(2, 0, 1) if is_rgb else np.atleast_3d(pixels.T).T)
    np.testing.assert_array_equal(read_labels(pair.masks), LABELS)


def test_an_earlier_pair_is_replaced(tmp_path: Path) -> None:
    write_pair(tmp_path, "a", np.ones((20, 30), np.uint8), False, LABELS)
    write_pair(tmp_path, "a", np.zeros((20, 30), np.uint8), False, 2 * LABELS)
    [pair] = find_pairs(tmp_path)
    assert not read_image(pair.image).channels.any()
    assert read_labels(pair.masks).max() == 4


@pytest.mark.parametrize(("shape", "is_rgb"), [((20, 30), False), ((2, 20, 30), False), ((20, 30, 3), True)])
def test_outlines_come_back(tmp_path: Path, shape: tuple[int, ...], is_rgb: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    rois = [roi.tobytes() for roi in labels_to_rois(LABELS)]
    image = write_outlined_pair(tmp_path, "a", pixels, is_rgb, rois)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "a_rois.zip"]
    [pair] = find_pairs(tmp_path)
    assert pair.image == image
    assert pair.is_outlined
    assert read_image(pair.image).is_rgb == is_rgb
    np.testing.assert_array_equal(read_annotation(pair.masks, LABELS.shape), LABELS)


def test_without_outlines_the_earlier_pair_stays(tmp_path: Path) -> None:
    outline = ImagejRoi.frompoints([[1, 1], [9, 1], [9, 9]]).tobytes()
    write_outlined_pair(tmp_path, "a", np.ones((20, 30), np.uint8), False, [outline])

    def broken() -> Iterator[bytes]:
        yield outline
        raise OSError("no space left")

    with pytest.raises(CellspanError):
        write_outlined_pair(tmp_path, "a", np.zeros((20, 30), np.uint8), False, broken())
    assert read_image(tmp_path / "a.tif").channels.all()
