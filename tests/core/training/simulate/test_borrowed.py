"""Textures of real pictures: what is borrowed, and what is refused."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.training.simulate import simulate_cells
from cellspan.core.training.simulate.borrowed import Textures, read_textures

pytestmark = pytest.mark.quick


def write_noise(path: Path, shape: tuple[int, int] = (60, 80)) -> None:
    grey = np.random.default_rng(0).normal(100, 20, shape).clip(0, 255).astype(np.uint8)
    imageio.imwrite(path, grey)


def test_pictures_below_a_folder_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    write_noise(tmp_path / "deeper" / "a.png", (600, 700))
    write_noise(tmp_path / "b.tif")
    imageio.imwrite(tmp_path / "black.png", np.zeros((50, 50), np.uint8))
    write_noise(tmp_path / "a_masks.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    pictures = read_textures(tmp_path).pictures
    assert [picture.shape for picture in pictures] == [(60, 80), (512, 512)]
    assert all(-0.1 < np.percentile(picture, 1) < np.percentile(picture, 99) < 1.1 for picture in pictures)


def test_noise_is_mixed_in_and_the_same_numbers_give_the_same(tmp_path: Path) -> None:
    write_noise(tmp_path / "a.png")
    textures = read_textures(tmp_path)
    field = simulate_cells((100, 90), 20, 1, "fluorescence", "round")
    mixed = [textures.mixed_into(field, np.random.default_rng(3)) for _ in range(2)]
    assert np.array_equal(mixed[0].image, mixed[1].image)
    assert np.array_equal(mixed[0].labels, field.labels)
    assert mixed[0].image.shape == field.image.shape
    assert mixed[0].image.dtype == np.float32
    assert mixed[0].image.min() >= 0
    assert np.isfinite(mixed[0].image).all()
    assert np.abs(np.diff(mixed[0].image[0])).mean() > np.abs(np.diff(field.image[0])).mean()


def test_an_absent_channel_stays_absent() -> None:
    picture = np.random.default_rng(0).random((64, 64)).astype(np.float16)
    fields = [simulate_cells((64, 64), 16, seed, "fluorescence", "round") for seed in range(8)]
    for field in fields:
        mixed = Textures((picture,)).mixed_into(field, np.random.default_rng(0))
        assert mixed.image[1].any() == field.image[1].any()


def test_a_place_with_cells_gives_its_noise_only() -> None:
    """Otherwise cells without labels would be in the field."""
    stripes = np.tile(np.repeat([0.0, 1.0], 16), 8)[None].repeat(256, axis=0).astype(np.float16)
    field = simulate_cells((96, 96), 20, 1, "nuclei", "round")
    mixed = Textures((stripes,)).mixed_into(field, np.random.default_rng(0))
    change = (mixed.image - field.image)[0]
    middle = [change[:, k] for k in range(96)]
    low, high = np.percentile(field.image[0], (1, 99.5))
    # In the middle of a stripe, far from its sides, nothing was added.
    assert np.median([np.abs(column).mean() for column in middle]) < 0.1 * (high - low)


@pytest.mark.parametrize(
    ("make", "message"), [("nothing", "no such folder"), ("empty", "no pictures"), ("flat", "same grey")]
)
def test_folders_that_give_nothing_are_refused(make: str, message: str, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    if make != "nothing":
        folder.mkdir()
    if make == "flat":
        imageio.imwrite(folder / "a.png", np.full((40, 40), 7, np.uint8))
    with pytest.raises(CellspanError, match=message):
        read_textures(folder)
