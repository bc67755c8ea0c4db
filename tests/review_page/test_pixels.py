"""Tiles and channels: the same numbers as in the file, smaller copies, and sensible contrast and colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.review_page.pixels import Channel, Shown, colours_of, halved, levels_of, scaled
from cellspan.review_page.stacks import Looks, look_at

pytestmark = pytest.mark.quick


@pytest.fixture
def image(tmp_path: Path) -> Path:
    given = np.random.default_rng(0).integers(100, 5000, (2, 700, 601)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", given, photometric="minisblack", metadata={"axes": "CYX"})
    return tmp_path / "a.tif"


def test_tiles_are_the_pixels(image: Path) -> None:
    shown, looks, given = Shown(), look_at(image), tifffile.imread(image)
    about = shown.channels(image, None, looks)[1]
    assert (about.lowest, about.highest) == (given[1].min(), given[1].max())
    tile = shown.tile(image, None, looks, 1, (0, 0), 0, (512, 256, 512))
    assert (tile.shape, tile.dtype) == ((444, 89), np.dtype("<u2"))
    back = about.lowest + tile / 65535 * (about.highest - about.lowest)
    np.testing.assert_allclose(back, given[1][256:700, 512:601], atol=0.05)


def test_levels(image: Path) -> None:
    looks = look_at(image)
    assert levels_of(looks.shape) == [{"scale": 1, "shape": [700, 601]}, {"scale": 2, "shape": [350, 301]}]
    tile = Shown().tile(image, None, looks, 0, (0, 0), 1, (0, 0, 512))
    assert tile.shape == (350, 301)


@pytest.mark.parametrize(
    ("channel", "where", "level", "box"),
    [(2, (0, 0), 0, (0, 0, 9)), (0, (1, 0), 0, (0, 0, 9)), (0, (0, 0), 2, (0, 0, 9)), (0, (0, 0), 0, (601, 0, 9))],
)
def test_what_is_not_there(image: Path, channel: int, where: tuple[int, int], level: int, box: object) -> None:
    with pytest.raises(CellspanError, match="There is no"):
        Shown().tile(image, None, look_at(image), channel, where, level, box)


def test_a_file_that_changed(image: Path) -> None:
    shown, looks = Shown(), look_at(image)
    shown.channels(image, None, looks)
    tifffile.imwrite(image, np.full((2, 700, 601), 9, np.uint16), metadata={"axes": "CYX"}, photometric="minisblack")
    shown.forget(image)
    assert shown.channels(image, None, looks)[0].lowest == 9


def test_colours_share_one_range(tmp_path: Path) -> None:
    given = np.random.default_rng(0).integers((0, 100, 900), (900, 1000, 1800), (40, 50, 3)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "c.tif", given, photometric="rgb")
    channels = Shown().channels(tmp_path / "c.tif", None, look_at(tmp_path / "c.tif"))
    assert len({(one.low, one.high, one.lowest, one.highest) for one in channels}) == 1
    assert channels[0].low < 100
    assert channels[0].high > 1700


def test_halved_is_the_mean() -> None:
    plane = np.arange(15, dtype=np.uint8).reshape(3, 5)
    np.testing.assert_array_equal(halved(plane)[0], [(0 + 1 + 5 + 6) / 4, (2 + 3 + 7 + 8) / 4, (4 + 9) / 2])
    assert halved(np.full((4, 4), 255, np.uint8)).max() == 255


def test_numbers_that_are_none() -> None:
    about = Channel(0, 1, 0.0, 2.0, "#ffffff")
    found = scaled(np.array([[np.nan, np.inf, -np.inf, 1.0]]), about)
    assert found.tolist() == [[0, 65535, 0, 32768]]


@pytest.mark.parametrize("values", [np.full((4, 4), 7), np.full((4, 4), np.nan)])
def test_a_constant_channel_has_a_range(values: np.ndarray, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", values.astype(np.float32))
    [about] = Shown().channels(tmp_path / "a.tif", None, look_at(tmp_path / "a.tif"))
    assert about.highest > about.lowest
    assert about.high > about.low


def test_colours() -> None:
    assert colours_of(Looks((1, 1))) == ["#ffffff"]
    assert colours_of(Looks((1, 1), channels=3, is_rgb=True)) == ["#ff0000", "#00ff00", "#0000ff"]
    dyes = colours_of(Looks((1, 1), channels=3, names=("GFP", "DAPI", "my dye")))
    assert dyes[:2] == ["#00ff00", "#4080ff"]
    assert len(set(dyes)) == 3
    assert len(set(colours_of(Looks((1, 1), channels=6)))) == 6
