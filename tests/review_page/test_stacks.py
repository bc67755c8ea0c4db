"""What the page shows of files: planes, channels, colours, stacks, time points."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.review_page.stacks import look_at, read_plane

pytestmark = pytest.mark.quick
RNG = np.random.default_rng(0)


def pixels(*shape: int) -> np.ndarray:
    return RNG.integers(0, 4000, shape).astype(np.uint16)


def test_a_plane(tmp_path: Path) -> None:
    given = pixels(20, 30)
    tifffile.imwrite(tmp_path / "a.tif", given)
    looks = look_at(tmp_path / "a.tif")
    assert (looks.shape, looks.channels, looks.is_stack, looks.is_rgb) == ((20, 30), 1, False, False)
    np.testing.assert_array_equal(read_plane(tmp_path / "a.tif"), given[None])


def test_channels(tmp_path: Path) -> None:
    given = pixels(3, 20, 30)
    tifffile.imwrite(tmp_path / "a.tif", given, photometric="minisblack", metadata={"axes": "CYX"})
    assert look_at(tmp_path / "a.tif").channels == 3
    np.testing.assert_array_equal(read_plane(tmp_path / "a.tif"), given)


@pytest.mark.parametrize("samples", [3, 4])
def test_colours_without_transparency(samples: int, tmp_path: Path) -> None:
    given = pixels(20, 30, samples).astype(np.uint8)
    imageio.imwrite(tmp_path / "a.png", given)
    looks = look_at(tmp_path / "a.png")
    assert (looks.channels, looks.is_rgb) == (3, True)
    np.testing.assert_array_equal(read_plane(tmp_path / "a.png"), given[..., :3].transpose(2, 0, 1))


@pytest.mark.parametrize(("axes", "shape"), [("ZYX", (5, 20, 30)), ("TYX", (5, 20, 30)), ("ZCYX", (5, 2, 20, 30))])
def test_a_stack(axes: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    given = pixels(*shape)
    tifffile.imwrite(tmp_path / "a.tif", given, imagej=True, metadata={"axes": axes})
    looks = look_at(tmp_path / "a.tif")
    assert (looks.shape, looks.slices, looks.frames) == ((20, 30), 5, 1)
    assert looks.channels == (2 if "C" in axes else 1)
    np.testing.assert_array_equal(read_plane(tmp_path / "a.tif", z=3), given[3].reshape(-1, 20, 30))


def test_time_points_of_a_stack(tmp_path: Path) -> None:
    given = pixels(3, 4, 2, 20, 30)
    tifffile.imwrite(tmp_path / "a.tif", given, imagej=True, metadata={"axes": "TZCYX"})
    looks = look_at(tmp_path / "a.tif")
    assert (looks.slices, looks.frames, looks.channels) == (4, 3, 2)
    np.testing.assert_array_equal(read_plane(tmp_path / "a.tif", z=1, t=2), given[2, 1])


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"nothing")
    for read in (look_at, read_plane):
        with pytest.raises(CellspanError, match=r"a\.tif: the file is damaged or not an image"):
            read(tmp_path / "a.tif")
