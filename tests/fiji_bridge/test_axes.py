"""Which axis is what, for numpy, xarray and a Dataset (a stand-in, because a real one needs a Fiji)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.axes import axes_of_names, in_order
from cellspan.fiji_bridge import axes as axes_module
from cellspan.fiji_bridge.axes import array_and_axes, planes_of, spacing_of, volumes_of

xarray = pytest.importorskip("xarray")
pytestmark = pytest.mark.quick

STACK = np.arange(2 * 3 * 4 * 5 * 2, dtype=np.uint8).reshape(2, 3, 4, 5, 2)
NAMES = ("t", "pln", "row", "col", "ch")
STEPS = {"pln": 0.5, "row": 0.2, "col": 0.2}


def named(pixels: np.ndarray = STACK, names: tuple[str, ...] = NAMES) -> Any:
    """xarray with the coordinates of a calibrated image."""
    coords = {
        name: np.arange(size) * STEPS[name] for name, size in zip(names, pixels.shape, strict=True) if name in STEPS
    }
    return xarray.DataArray(pixels, dims=names, coords=coords)


class Dataset:
    """Of ImageJ2."""

    def __init__(self, pixels: Any, is_rgb: bool = False) -> None:
        self.pixels, self.is_rgb = pixels, is_rgb

    def getImgPlus(self) -> None: ...

    def isRGBMerged(self) -> bool:
        return self.is_rgb


@pytest.fixture
def pyimagej(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that turns a Dataset into xarray, as the one of pyimagej does."""
    gateway = SimpleNamespace(py=SimpleNamespace(from_java=lambda dataset: dataset.pixels))
    monkeypatch.setattr(axes_module, "pyimagej_gateway", lambda: gateway)


@pytest.mark.parametrize(
    ("names", "letters"),
    [
        (NAMES, "TZYXC"),
        (("Time", "Z", "Y", "X"), "TZYX"),
        (("plane", "row", "column", "rgb"), "ZYXS"),
        (("ch", "row", "col"), "CYX"),
    ],
)
def test_names_of_axes(names: tuple[str, ...], letters: str) -> None:
    assert axes_of_names(names) == letters


def test_an_unknown_name_is_said() -> None:
    with pytest.raises(CellspanError, match="'spam' is not known"):
        axes_of_names(("row", "col", "spam"))


def test_the_order_of_axes_is_respected() -> None:
    array, letters = array_and_axes(named())
    assert letters == "TZYXC"
    ordered, letters = in_order(array, letters)
    assert letters == "TZCYX"
    np.testing.assert_array_equal(ordered, STACK.transpose(0, 1, 4, 2, 3))
    turned = named(STACK[0, 0].transpose(1, 2, 0), ("col", "ch", "row"))
    (plane,), stacked = planes_of(*array_and_axes(turned))
    assert stacked == ""
    np.testing.assert_array_equal(plane.image.channels, STACK[0, 0].transpose(2, 0, 1))


def test_planes_come_slices_first() -> None:
    planes, stacked = planes_of(*array_and_axes(named()))
    assert stacked == "TZ"
    assert [(plane.t, plane.z) for plane in planes] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    np.testing.assert_array_equal(planes[4].image.channels, STACK[1, 1].transpose(2, 0, 1))


@pytest.mark.usefixtures("pyimagej")
def test_a_dataset_is_what_pyimagej_makes_of_it() -> None:
    array, letters = array_and_axes(Dataset(named()))
    assert letters == "TZYXC"
    np.testing.assert_array_equal(array, STACK)
    assert spacing_of(Dataset(named())) == pytest.approx((0.5, 0.2, 0.2))
    colours = named(np.zeros((4, 5, 3), np.uint8), ("row", "col", "ch"))
    assert array_and_axes(Dataset(colours, is_rgb=True))[1] == "YXS"


def test_a_dataset_needs_a_fiji() -> None:
    with pytest.raises(CellspanError, match="connect to a Fiji first"):
        array_and_axes(Dataset(named()))


def test_volumes_are_one_a_frame() -> None:
    volumes = volumes_of(*array_and_axes(named()), spacing_of(named()))
    assert [volume.shape for volume in volumes] == [(3, 4, 5)] * 2
    np.testing.assert_array_equal(volumes[1].channels, STACK[1].transpose(3, 0, 1, 2))
    assert volumes[0].anisotropy == pytest.approx(2.5)


def test_an_array_of_few_planes_is_slices_where_a_volume_is_meant() -> None:
    assert array_and_axes(STACK[0, ..., 0])[1] == "CYX"
    assert array_and_axes(STACK[0, ..., 0], is_volume=True)[1] == "ZYX"
    assert array_and_axes(np.zeros((3, 2, 4, 5)), is_volume=True)[1] == "ZCYX"


def test_without_slices_there_is_no_volume() -> None:
    with pytest.raises(CellspanError, match="'CYX' have no slices"):
        volumes_of(np.zeros((2, 4, 5), np.uint8), "CYX")


def test_what_is_not_known_is_no_spacing() -> None:
    assert spacing_of(STACK) is None
    assert spacing_of(xarray.DataArray(STACK, dims=NAMES)) is None
    assert spacing_of(named(STACK[:, :1])) is None  # one slice says nothing of the step


@pytest.mark.parametrize("axes", ["YX", "ZZYXC", "TZCYQ", "TZCSX"])
def test_axes_that_do_not_describe_the_array(axes: str) -> None:
    with pytest.raises(CellspanError, match="do not describe"):
        array_and_axes(STACK, axes)
