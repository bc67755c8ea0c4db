"""The overlay of a plane, and what a picture says of the size of its pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image
from cellspan.core.results.overlays import plane_overlay, write_picture

pytestmark = pytest.mark.quick
PICTURE = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)


def test_outlines_are_yellow_on_the_segmented_channel() -> None:
    dark, bright = np.zeros((20, 30), np.uint8), np.zeros((20, 30), np.uint8)
    bright[:, 15:] = 200
    labels = np.zeros((20, 30), np.int32)
    labels[5:10, 5:10] = 1
    shown = plane_overlay(Image(np.stack([dark, bright])), labels, Parameters(channel=1, invert=True, normalize=None))
    assert shown.shape == (20, 30, 3)
    red, green, blue = (int(value) for value in shown[5, 5])
    assert red > 200 > blue
    assert green > 200
    assert shown[0, 0].tolist() == [0, 0, 0]
    assert shown[0, 29].tolist() == [255, 255, 255], "not inverted, whatever the network saw"


def test_the_size_of_a_pixel_is_a_text_of_the_picture(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", PICTURE, (0.5, 0.25), "µm")
    with PIL.Image.open(tmp_path / "a.png") as read:
        assert read.info["Pixel size"] == "x: 0.25 µm, y: 0.5 µm"
        assert "dpi" not in read.info, "word processors would show it as large as the cells are"
        np.testing.assert_array_equal(np.asarray(read), PICTURE)


@pytest.mark.parametrize(("spacing", "unit"), [(None, ""), ((1.0, 1.0), "")])
def test_an_unknown_size_is_not_told(tmp_path: Path, spacing: tuple[float, float] | None, unit: str) -> None:
    write_picture(tmp_path / "a.png", PICTURE, spacing, unit)
    with PIL.Image.open(tmp_path / "a.png") as read:
        assert read.info == {}
