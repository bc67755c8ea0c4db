"""Which axis is what: arrays, files that do not say, names of other programs, and hyperstacks."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.axes import axes_of_array, axes_of_names, hyperstack, meaning_of

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("shape", "is_volume", "axes"),
    [
        ((20, 30), False, "YX"),
        ((20, 30, 3), False, "YXS"),
        ((20, 30, 4), False, "YXS"),
        ((3, 20, 30), False, "CYX"),
        ((20, 30, 2), False, "YXC"),
        ((20, 30, 40), False, "ZYX"),
        ((2, 2, 20, 30), False, ""),
        ((3, 20, 30), True, "ZYX"),
        ((5, 2, 20, 30), True, "ZCYX"),
        ((20, 30), True, ""),
    ],
)
def test_arrays_have_the_axes_of_their_shape(shape: tuple[int, ...], is_volume: bool, axes: str) -> None:
    assert axes_of_array(shape, is_volume) == axes


@pytest.mark.parametrize(
    ("axes", "shape", "plane", "volume"),
    [
        ("IYX", (5, 20, 30), "CYX", "ZYX"),
        ("IYX", (9, 20, 30), "ZYX", "ZYX"),
        ("QYXS", (5, 20, 30, 3), "ZYXS", "ZYXS"),
        ("QCYX", (5, 2, 20, 30), "ZCYX", "ZCYX"),
        ("ZIYX", (5, 2, 20, 30), "ZCYX", "ZCYX"),
        ("IYX", (1, 20, 30), "IYX", "IYX"),
        ("QQYX", (5, 2, 20, 30), "QQYX", "ZCYX"),
        ("TZCYX", (2, 3, 4, 20, 30), "TZCYX", "TZCYX"),
    ],
)
def test_pages_without_a_meaning_get_that_of_an_array(
    axes: str, shape: tuple[int, ...], plane: str, volume: str
) -> None:
    assert meaning_of(axes, shape) == plane
    assert meaning_of(axes, shape, is_volume=True) == volume


def test_names_of_other_programs() -> None:
    assert axes_of_names(["t", "pln", "row", "col", "ch"]) == "TZYXC"
    with pytest.raises(CellspanError, match="'depth' is not known"):
        axes_of_names(["depth", "row", "col"])


def test_hyperstacks_have_frames_and_slices_first() -> None:
    pixels = np.arange(2 * 3 * 4 * 5 * 6).reshape(4, 5, 6, 3, 2)
    stack, inner = hyperstack(pixels, "CYXZT")
    assert (stack.shape, inner) == ((2, 3, 4, 5, 6), "CYX")
    assert stack[1, 2, 3, 4, 5] == pixels[3, 4, 5, 2, 1]
    assert hyperstack(pixels[:, :, :, 0, 0], "IYX")[0].shape == (1, 1, 4, 5, 6)
    assert hyperstack(pixels[:, :, :, 0, 0], "IYX", is_volume=True)[0].shape == (1, 4, 5, 6)
    assert hyperstack(pixels[:1, :, :, :1, 0], "QYXI")[0].shape == (1, 1, 5, 6)
    with pytest.raises(CellspanError, match="more than time points"):
        hyperstack(pixels, "CYXHP")
    with pytest.raises(CellspanError, match="do not describe"):
        hyperstack(pixels, "YX")
