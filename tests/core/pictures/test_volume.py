"""Volumes from arrays and files: axes, channels, the size of voxels, and reading in parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.reading import decode_volume, read_volume
from cellspan.core.pictures.volume import volume_from_array

pytestmark = pytest.mark.quick
STACK = np.arange(5 * 2 * 12 * 16, dtype=np.uint16).reshape(5, 2, 12, 16)


def test_channels_and_slices_are_told_apart() -> None:
    volume = volume_from_array(STACK)
    assert volume.shape == (5, 12, 16)
    np.testing.assert_array_equal(volume.channels, STACK.transpose(1, 0, 2, 3))
    assert volume_from_array(STACK[:, 0]).channels.shape == (1, 5, 12, 16)
    assert volume_from_array(STACK[:, None], "ZTCYX").channels.shape == (2, 5, 12, 16)
    rgb = volume_from_array(np.zeros((5, 12, 16, 3), np.uint8), "ZYXS")
    assert rgb.is_rgb
    assert rgb.shown(None).shape == (5, 12, 16)


@pytest.mark.parametrize(
    ("shape", "axes", "sentence"),
    [
        ((4, 4), "YX", "it needs one axis of slices"),
        ((3, 5, 4, 4), "TZYX", "3 time points of a volume"),
        ((0, 4, 4), "ZYX", "no voxels"),
        ((2, 2, 2, 4, 4), None, "a volume has the axes"),
    ],
)
def test_other_shapes_are_refused(shape: tuple[int, ...], axes: str | None, sentence: str) -> None:
    with pytest.raises(CellspanError, match=sentence):
        volume_from_array(np.zeros(shape, np.uint8), axes)


def test_imagej_files_know_their_voxels(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    metadata = {"axes": "ZCYX", "spacing": 1.5, "unit": "um"}
    tifffile.imwrite(path, STACK, imagej=True, metadata=metadata, resolution=(4, 2))
    volume = read_volume(path)
    assert volume.spacing == pytest.approx((1.5, 0.5, 0.25))
    assert volume.anisotropy == pytest.approx(6)
    assert volume.unit == "µm"
    np.testing.assert_array_equal(volume.block(1, slice(1, 3), slice(2, 9), slice(0, 4)), STACK[1:3, 1, 2:9, :4])
    again = decode_volume(path.read_bytes())
    assert (again.spacing, again.unit) == (volume.spacing, volume.unit)


def test_ome_tiff_knows_its_voxels(tmp_path: Path) -> None:
    path = tmp_path / "stack.ome.tif"
    sizes = {"PhysicalSizeX": 0.2, "PhysicalSizeY": 0.2, "PhysicalSizeZ": 1.0, "PhysicalSizeXUnit": "µm"}
    tifffile.imwrite(path, STACK, metadata={"axes": "ZCYX", **sizes}, compression="zlib")
    volume = read_volume(path)
    assert volume.anisotropy == pytest.approx(5)
    assert volume.channels.shape == (2, 5, 12, 16)
    np.testing.assert_array_equal(volume.channels[:, 4], STACK[4])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_is_read_in_parts(tmp_path: Path, version: str) -> None:
    zarr = pytest.importorskip("zarr", minversion="3")  # that can write both versions
    path = tmp_path / "stack.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    array = group.create_array("0", shape=STACK.shape, dtype=STACK.dtype, chunks=(1, 1, 8, 8))
    array[:] = STACK
    axes = [{"name": name, "unit": "micrometer"} for name in "zcyx"]
    steps = [{"type": "scale", "scale": [2.0, 1.0, 0.5, 0.5]}]
    scales = [{"version": version, "axes": axes, "datasets": [{"path": "0", "coordinateTransformations": steps}]}]
    group.attrs.update({"multiscales": scales} if version == "0.4" else {"ome": {"multiscales": scales}})
    volume = read_volume(path)
    assert (volume.anisotropy, volume.unit) == (4.0, "µm")
    np.testing.assert_array_equal(volume.block(0, slice(0, 2), slice(3, 12), slice(5, 6)), STACK[:2, 0, 3:, 5:6])


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad.tif").write_bytes(b"II*\0 no image")
    (tmp_path / "empty.zarr").mkdir()
    for name in ("bad.tif", "empty.zarr", "none.tif", "picture.png"):
        if name == "picture.png":
            (tmp_path / name).write_bytes(b"")
        with pytest.raises(CellspanError, match=name):
            read_volume(tmp_path / name)
