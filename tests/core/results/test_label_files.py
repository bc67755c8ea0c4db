"""Labels, flows and probabilities as TIFF: types, axes, and the size of a pixel as ImageJ and Bio-Formats read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from cellspan.core.results import label_files
from cellspan.core.results.label_files import write_labels, write_stack

pytestmark = pytest.mark.quick
PLANE = np.arange(12 * 20, dtype=np.int32).reshape(12, 20)
UNITS = [("µm", "um", "µm"), ("nm", "nm", "nm"), ("", "pixel", "pixel")]  # as it is known, in ImageJ, in OME
SHAPES = [("YX", (12, 20)), ("CYX", (2, 12, 20)), ("ZYX", (4, 12, 20)), ("CZYX", (3, 4, 12, 20))]
VOLUME = np.arange(3 * 12 * 20, dtype=np.int32).reshape(3, 12, 20)


def pixel_size(path: Path) -> tuple[dict[str, float], str]:
    """By its axes, as the file tells it, and the unit."""
    with tifffile.TiffFile(path) as tiff:
        page: Any = tiff.pages[0]
        x, y = (1 / value for value in page.get_resolution())
        if tiff.is_imagej:
            about = tiff.imagej_metadata or {}
            depth = {"z": about["spacing"]} if "spacing" in about else {}
            return {**depth, "y": pytest.approx(y), "x": pytest.approx(x)}, about["unit"]
        if not tiff.ome_metadata:
            return {}, ""
        pixels: Any = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]
        sizes = {a.lower(): pixels[f"PhysicalSize{a}"] for a in "ZYX" if f"PhysicalSize{a}" in pixels}
        unit = pixels["PhysicalSizeXUnit"]
        if unit in label_files.CENTIMETRES:  # what ImageJ reads without Bio-Formats
            assert page.resolutionunit == 3
            assert y == pytest.approx(sizes["y"] * label_files.CENTIMETRES[unit], rel=1e-6)
            assert x == pytest.approx(sizes["x"] * label_files.CENTIMETRES[unit], rel=1e-6)
        return sizes, unit


@pytest.mark.parametrize("spacing", [None, (0.5, 0.25)])
@pytest.mark.parametrize(("highest", "kind"), [(65_535, np.uint16), (65_536, np.uint32)])
def test_labels_take_16_bits_where_they_fit(tmp_path: Path, highest: int, kind: Any, spacing: Any) -> None:
    labels = PLANE.copy()
    labels[-1, -1] = highest
    write_labels(tmp_path / "a.tif", labels, spacing, "µm")
    read = tifffile.imread(tmp_path / "a.tif")
    assert read.dtype == kind
    np.testing.assert_array_equal(read, labels)


@pytest.mark.parametrize("highest", [1000, 70_000])
@pytest.mark.parametrize(
    ("unit", "in_imagej", "in_ome"), [("µm", "um", "µm"), ("nm", "nm", "nm"), ("", "pixel", "pixel")]
)
def test_the_size_of_a_pixel_is_kept(tmp_path: Path, highest: int, unit: str, in_imagej: str, in_ome: str) -> None:
    name = in_imagej if highest < 65_536 else in_ome
    write_labels(tmp_path / "p.tif", np.minimum(PLANE, 7), (0.5, 0.25), unit, count=highest)
    assert pixel_size(tmp_path / "p.tif") == ({"y": 0.5, "x": 0.25}, name)
    write_labels(tmp_path / "v.tif", VOLUME, (2.0, 0.3, 0.3), unit, count=highest)
    assert pixel_size(tmp_path / "v.tif") == ({"z": 2.0, "y": 0.3, "x": 0.3}, name)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "v.tif"), VOLUME)


def test_a_size_that_is_not_known_is_not_invented(tmp_path: Path) -> None:
    write_labels(tmp_path / "a.tif", PLANE)
    assert pixel_size(tmp_path / "a.tif") == ({}, "")


@pytest.mark.parametrize(
    ("axes", "shape"), [("YX", (12, 20)), ("CYX", (2, 12, 20)), ("ZYX", (4, 12, 20)), ("CZYX", (3, 4, 12, 20))]
)
@pytest.mark.parametrize("spacing", [None, (2.0, 0.5, 0.25)])
def test_numbers_keep_their_axes_and_sizes(tmp_path: Path, axes: str, shape: tuple[int, ...], spacing: Any) -> None:
    values = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    steps = spacing[-2 if "Z" not in axes else -3 :] if spacing else None
    write_stack(tmp_path / "a.tif", values, axes, spacing=steps, unit="µm")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.series[0].axes == axes
        np.testing.assert_array_equal(tiff.asarray(), values)
    if spacing:
        sizes = dict(zip("zyx", spacing, strict=True))
        wanted = {axis.lower(): sizes[axis.lower()] for axis in axes if axis != "C"}
        assert pixel_size(tmp_path / "a.tif")[0] == wanted


@pytest.mark.parametrize("unit", ["furlong", "пиксель", "µm/px"])
def test_units_that_a_format_does_not_know_do_no_harm(tmp_path: Path, unit: str) -> None:
    for count in (7, 70_000):
        write_labels(tmp_path / "a.tif", PLANE, (0.5, 0.25), unit, count=count)
        np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), PLANE)


def test_files_beyond_4_gb_are_bigtiff_and_keep_the_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_files, "CLASSIC_TIFF", 100)
    write_labels(tmp_path / "a.tif", VOLUME, (2.0, 0.3, 0.3), "µm")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.is_bigtiff
        np.testing.assert_array_equal(tiff.asarray(), VOLUME)
    assert pixel_size(tmp_path / "a.tif") == ({"z": 2.0, "y": 0.3, "x": 0.3}, "µm")


def test_arrays_on_disk_are_written_plane_by_plane(tmp_path: Path) -> None:
    class OnDisk:
        shape, ndim = VOLUME.shape, 3

        def __getitem__(self, index: Any) -> Any:
            assert isinstance(index, tuple)
            assert len(index) == 1
            return VOLUME[index]

    write_labels(tmp_path / "a.tif", OnDisk(), count=719)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), VOLUME)
