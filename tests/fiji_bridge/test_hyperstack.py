"""Stacks that ImageJ wrote, in any order of their axes, within the memory that there is."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.machine import memory
from cellspan.fiji_bridge.hyperstack import Hyperstack, read_hyperstack, read_selection

pytestmark = pytest.mark.quick


def written(path: Path, shape: tuple[int, ...], axes: str) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    photometric = "rgb" if axes.endswith("S") else "minisblack"
    tifffile.imwrite(path, pixels, photometric=photometric, metadata={"axes": axes})
    return pixels


@pytest.mark.parametrize(
    ("axes", "shape", "sorted_shape", "inner", "is_hyperstack"),
    [
        ("YX", (9, 8), (1, 1, 9, 8), "YX", False),
        ("ZYX", (3, 9, 8), (1, 3, 9, 8), "YX", False),
        ("TYX", (3, 9, 8), (3, 1, 9, 8), "YX", False),
        ("QYX", (3, 9, 8), (1, 1, 3, 9, 8), "CYX", False),
        ("QYX", (12, 9, 8), (1, 12, 9, 8), "YX", False),
        ("CYX", (3, 9, 8), (1, 1, 3, 9, 8), "CYX", False),
        ("ZCYX", (4, 2, 9, 8), (1, 4, 2, 9, 8), "CYX", True),
        ("TZYX", (2, 3, 9, 8), (2, 3, 9, 8), "YX", True),
        ("ZYXS", (3, 9, 8, 3), (1, 3, 9, 8, 3), "YXS", False),
    ],
)
def test_axes_are_sorted(
    tmp_path: Path, axes: str, shape: tuple[int, ...], sorted_shape: tuple[int, ...], inner: str, is_hyperstack: bool
) -> None:
    path = tmp_path / "stack.tif"
    pixels = written(path, shape, axes)
    stack = read_hyperstack(path)
    np.testing.assert_array_equal(stack.pixels, pixels.reshape(sorted_shape))
    assert (stack.inner, stack.size, stack.has_several_sliders) == (inner, (9, 8), is_hyperstack)


def test_planes_and_volumes_are_files() -> None:
    pixels = np.arange(2 * 3 * 2 * 9 * 8, dtype=np.uint16).reshape(2, 3, 2, 9, 8)
    stack = Hyperstack(pixels, "CYX")
    with tifffile.TiffFile(io.BytesIO(stack.plane(1, 2))) as file:
        assert file.series[0].axes == "CYX"
        np.testing.assert_array_equal(file.asarray(), pixels[1, 2])
    with tifffile.TiffFile(io.BytesIO(stack.volume(1))) as file:
        assert file.series[0].axes == "ZCYX"
        np.testing.assert_array_equal(file.asarray(), pixels[1])


def test_a_stack_larger_than_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compressed zeros: a small file that declares much."""
    path = tmp_path / "zeros.tif"
    tifffile.imwrite(path, np.zeros((100, 300, 300), np.uint8), compression="zlib", metadata={"axes": "ZYX"})
    monkeypatch.setattr(memory, "available_memory", lambda: 4_000_000)
    with pytest.raises(CellspanError, match=r"zeros\.tif: .*of memory, and 4 MB are free") as refused:
        read_hyperstack(path)
    assert refused.value.fields["file"] == str(path)


@pytest.mark.parametrize("content", [b"", b"no image"])
def test_damaged_files_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.tif"
    path.write_bytes(content)
    with pytest.raises(CellspanError, match=r"broken\.tif: the file is"):
        read_hyperstack(path)


def test_axes_that_imagej_does_not_have(tmp_path: Path) -> None:
    written(tmp_path / "many.tif", (2, 2, 2, 9, 8), "QRZYX")
    with pytest.raises(CellspanError, match=r"many\.tif: the axes 'QRZYX' are more than"):
        read_hyperstack(tmp_path / "many.tif")


def test_selections(tmp_path: Path) -> None:
    path = tmp_path / "mask.tif"
    tifffile.imwrite(path, np.eye(8, dtype=np.uint8) * 255)
    np.testing.assert_array_equal(read_selection(path, (8, 8)), np.eye(8) > 0)
    with pytest.raises(CellspanError, match=r"mask\.tif: the selection is 8 x 8 pixels large, but the image 9 x 8"):
        read_selection(path, (8, 9))
    with pytest.raises(CellspanError, match="the selection cannot be read"):
        read_selection(tmp_path / "none.tif", (8, 8))
