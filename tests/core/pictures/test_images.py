"""Images: files of all kinds, axes, channels, normalisation, and what is refused."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.images import image_from_array
from cellspan.core.pictures.reading import read_image
from cellspan.core.pictures.resizing import resize

pytestmark = pytest.mark.quick


@pytest.fixture
def ramp() -> np.ndarray:
    return np.arange(30 * 40, dtype=np.uint16).reshape(30, 40)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32, np.int16, np.float32, np.float64])
def test_tiff_of_every_type(tmp_path: Path, ramp: np.ndarray, kind: type) -> None:
    tifffile.imwrite(tmp_path / "a.tif", (ramp % 200).astype(kind))
    image = read_image(tmp_path / "a.tif")
    assert image.channels.dtype == kind
    assert np.array_equal(image.channels[0], ramp % 200)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_png(tmp_path: Path, ramp: np.ndarray, kind: type) -> None:
    imageio.imwrite(tmp_path / "ä b.png", (ramp % 200).astype(kind))
    assert np.array_equal(read_image(tmp_path / "ä b.png").channels[0], ramp % 200)


def test_axes_become_channels(tmp_path: Path, ramp: np.ndarray) -> None:
    two = np.stack([ramp, ramp[::-1]])
    tifffile.imwrite(tmp_path / "a.tif", two, metadata={"axes": "CYX"})
    assert np.array_equal(read_image(tmp_path / "a.tif").channels, two)
    assert np.array_equal(image_from_array(np.moveaxis(two, 0, -1)).channels, two)
    assert np.array_equal(image_from_array(two[:, None], "CZYX").channels, two)


def test_tiny_colour_pictures_are_colour(tmp_path: Path) -> None:
    imageio.imwrite(tmp_path / "a.png", np.full((1, 1, 3), 9, np.uint8))
    image = read_image(tmp_path / "a.png")
    assert image.is_rgb
    assert image.shape == (1, 1)


@pytest.mark.parametrize("wrong", [np.zeros((0, 5)), np.zeros((5, 5), complex), np.zeros(7), np.zeros((20, 30, 40))])
def test_arrays_that_are_no_images_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(CellspanError):
        image_from_array(wrong)


def test_damaged_files_are_named(tmp_path: Path, ramp: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "whole.tif", ramp)
    content = (tmp_path / "whole.tif").read_bytes()
    bad = {
        "truncated.tif": content[: len(content) // 2],
        "text.tif": b"these are no pixels",
        "empty.tif": b"",
        "text.png": b"no pixels either",
        "notes.txt": b"a note",
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(CellspanError, match=name):
            read_image(tmp_path / name)
    with pytest.raises(CellspanError, match="no such file"):
        read_image(tmp_path / "missing.tif")


def test_stacks_are_refused_by_their_name(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "z.tif", np.zeros((9, 20, 30), np.uint8), metadata={"axes": "ZYX"})
    with pytest.raises(CellspanError, match="9 z-slices"):
        read_image(tmp_path / "z.tif")


def test_resizing_keeps_the_mean() -> None:
    planes = np.random.default_rng(0).random((2, 64, 64), np.float32)
    assert resize(planes, (16, 16)).mean() == pytest.approx(planes.mean(), rel=1e-3)
    assert resize(planes, (100, 90)).shape == (2, 100, 90)
