"""OME-Zarr of versions 0.4 and 0.5: planes, volumes, positions, plates; parts that do not fit into the memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.inputs import Input
from cellspan.core.pictures.opening import open_picture
from cellspan.core.pictures.reading import read_image, read_labels, read_volume
from cellspan.core.pictures.several import every_series

zarr: Any = pytest.importorskip("zarr", minversion="3")  # that can write both versions
pytestmark = pytest.mark.quick
VERSIONS = ["0.4", "0.5"]
A, B, C = np.random.default_rng(0).integers(0, 60_000, (3, 2, 20, 30), dtype=np.uint16)


def group_of(path: Path, version: str) -> Any:
    return zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)


def describe(group: Any, version: str, about: dict[str, Any]) -> None:
    group.attrs.update(about if version == "0.4" else {"ome": {"version": version, **about}})


def fill(group: Any, version: str, pixels: np.ndarray, axes: str = "cyx", unit: str = "micrometer") -> None:
    """An image with two resolutions."""
    sets = []
    for level in (0, 1):
        part = pixels[..., :: 2**level, :: 2**level]
        group.create_array(str(level), data=part, chunks=(*(1 for _ in part.shape[:-2]), 8, 8))
        scale = [{"z": 2.0, "y": 0.5 * 2**level, "x": 0.25 * 2**level}.get(axis, 1.0) for axis in axes]
        sets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    kinds = {"c": {"type": "channel"}, "t": {"type": "time", "unit": "second"}}
    named = [{"name": axis, **kinds.get(axis, {"type": "space", "unit": unit})} for axis in axes]
    describe(group, version, {"multiscales": [{"version": version, "axes": named, "datasets": sets}]})


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("axes", "shape"), [("yx", (20, 30)), ("cyx", (2, 20, 30)), ("tczyx", (1, 2, 1, 20, 30))])
def test_planes(tmp_path: Path, version: str, axes: str, shape: tuple[int, ...]) -> None:
    pixels = A[: 1 if axes == "yx" else 2]
    group = group_of(tmp_path / "a.zarr", version)
    fill(group, version, pixels.reshape(shape), axes)
    labels = group.create_group("labels").create_group("cells")
    fill(labels, version, np.zeros((20, 30), np.int32), "yx")
    image = read_image(tmp_path / "a.zarr")
    np.testing.assert_array_equal(image.channels, pixels)
    assert (image.spacing, image.unit) == (pytest.approx((0.5, 0.25)), "µm")
    assert every_series([Input(tmp_path / "a.zarr", Path())])[0].series is None


@pytest.mark.parametrize("unit", ["nanometer", "millimeter"])
def test_units_become_micrometres(tmp_path: Path, unit: str) -> None:
    fill(group_of(tmp_path / "a.zarr", "0.4"), "0.4", A[None], "czyx", unit)
    factor = {"nanometer": 1e-3, "millimeter": 1e3}[unit]
    with read_volume(tmp_path / "a.zarr") as volume:
        assert (volume.spacing, volume.unit) == (pytest.approx((2 * factor, 0.5 * factor, 0.25 * factor)), "µm")


@pytest.mark.parametrize("version", VERSIONS)
def test_time_points_are_refused(tmp_path: Path, version: str) -> None:
    fill(group_of(tmp_path / "a.zarr", version), version, A, "tyx")
    with pytest.raises(CellspanError, match=r"a\.zarr: the file holds 2 time points"):
        read_image(tmp_path / "a.zarr")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("listed", [True, False])
def test_positions_beside_each_other(tmp_path: Path, version: str, listed: bool) -> None:
    group = group_of(tmp_path / "a.zarr", version)
    for name, pixels in (("0", A), ("1", B), ("10", C)):
        fill(group.create_group(name), version, pixels)
    if listed:
        group.attrs.update({"bioformats2raw.layout": 3})
        describe(group.create_group("OME"), version, {"series": ["1", "0", "10"]})
    names = ["1", "0", "10"] if listed else ["0", "1", "10"]
    with open_picture(tmp_path / "a.zarr") as picture:
        assert [one.name for one in picture.series] == names
    for number, name in enumerate(names):
        expected = {"0": A, "1": B, "10": C}[name]
        np.testing.assert_array_equal(read_image(tmp_path / "a.zarr", number).channels, expected)


@pytest.mark.parametrize("version", VERSIONS)
def test_plates_have_wells_and_fields(tmp_path: Path, version: str) -> None:
    plate = group_of(tmp_path / "plate.zarr", version)
    wells = [{"path": "A/1", "rowIndex": 0, "columnIndex": 0}, {"path": "B/2", "rowIndex": 1, "columnIndex": 1}]
    describe(plate, version, {"plate": {"wells": wells, "rows": [], "columns": []}})
    contents = {"A/1": [A, B], "B/2": [C]}
    for path, fields in contents.items():
        well = plate.require_group(path)
        describe(well, version, {"well": {"images": [{"path": str(k)} for k in range(len(fields))]}})
        for number, pixels in enumerate(fields):
            fill(well.create_group(str(number)), version, pixels)
    with open_picture(tmp_path / "plate.zarr") as picture:
        assert [one.name for one in picture.series] == ["A/1/0", "A/1/1", "B/2/0"]
        for number, expected in enumerate([A, B, C]):
            np.testing.assert_array_equal(picture.image(number).channels, expected)
    with pytest.raises(CellspanError, match=r"3 images \(A/1/0, A/1/1, B/2/0\)"):
        read_image(tmp_path / "plate.zarr")
    stems = [str(item.stem) for item in every_series([Input(tmp_path / "plate.zarr", Path())])]
    assert stems == ["plate_s0", "plate_s1", "plate_s2"]


@pytest.mark.parametrize("version", VERSIONS)
def test_parts_larger_than_the_memory_are_refused(
    tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = group_of(tmp_path / "a.zarr", version)
    group.create_array("0", shape=(20, 30), chunks=(50_000, 50_000), dtype="uint16")
    axes = [{"name": axis, "type": "space"} for axis in "yx"]
    describe(group, version, {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]})
    monkeypatch.setattr("cellspan.core.machine.memory.available_memory", lambda: 1_000_000_000)
    for read in (read_image, read_volume, read_labels):
        with pytest.raises(CellspanError, match=r"a\.zarr: the file is stored in parts of 50000 x 50000"):
            read(tmp_path / "a.zarr")


@pytest.mark.parametrize("about", [{}, {"plate": {"wells": [{"path": "A/1"}]}}, {"multiscales": [{"datasets": []}]}])
def test_what_is_no_ome_zarr_is_named(tmp_path: Path, about: dict[str, Any]) -> None:
    describe(group_of(tmp_path / "a.zarr", "0.4"), "0.4", about)
    with pytest.raises(CellspanError, match=r"a\.zarr: "):
        read_image(tmp_path / "a.zarr")
