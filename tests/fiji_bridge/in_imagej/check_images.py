"""numpy -> ImagePlus -> numpy changes no pixel, and ImageJ reads the same values that numpy holds."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cellspan.core.errors import CellspanError
from cellspan.fiji_bridge import connect, image_from_imagej, image_to_imagej, labels_to_imagej
from cellspan.fiji_bridge.images import axes_of

imagej = connect()
assert imagej.version.startswith("1.54"), imagej
assert connect() is imagej

SIDES = st.integers(1, 9)
PLANES = st.one_of(st.tuples(SIDES, SIDES), st.tuples(st.integers(2, 4), SIDES, SIDES))
TYPES = st.sampled_from([np.uint8, np.uint16, np.float32])


def there_and_back(pixels: np.ndarray, axes: str) -> np.ndarray:
    image = image_to_imagej(pixels, "picture", axes)
    assert str(image.getTitle()) == "picture"
    back = image_from_imagej(image)
    assert back.dtype == pixels.dtype.newbyteorder("=")
    np.testing.assert_array_equal(back, pixels)
    return image


@settings(deadline=None, max_examples=60)
@given(st.data())
def grey_and_channels(data: st.DataObject) -> None:
    pixels = data.draw(arrays.arrays(data.draw(TYPES), data.draw(PLANES)))
    there_and_back(pixels, "YX" if pixels.ndim == 2 else "CYX")


@settings(deadline=None, max_examples=30)
@given(arrays.arrays(np.uint8, st.tuples(SIDES, SIDES, st.just(3))))
def colours(pixels: np.ndarray) -> None:
    image = there_and_back(pixels, "YXS")
    assert [int(value) for value in image.getPixel(0, 0)][:3] == pixels[0, 0].tolist()


def values_are_those_that_imagej_shows() -> None:
    for pixels in (np.array([[0, 200]], np.uint8), np.array([[3, 60_000]], np.uint16), np.float32([[-1.5, 1e9]])):
        processor = image_to_imagej(pixels).getProcessor()
        assert [processor.getPixelValue(x, 0) for x in (0, 1)] == pixels[0].tolist()


def the_other_byte_order_and_views() -> None:
    pixels = np.arange(24, dtype=">u2").reshape(4, 6)[:, ::2]
    there_and_back(pixels, "YX")


def what_the_shape_says_without_axes() -> None:
    assert image_to_imagej(np.zeros((5, 4, 3), np.uint8)).getType() == 4  # COLOR_RGB
    channels = image_to_imagej(np.zeros((3, 5, 4), np.uint16))
    assert [int(n) for n in channels.getDimensions()] == [4, 5, 3, 1, 1]
    assert channels.isComposite()
    np.testing.assert_array_equal(image_from_imagej(image_to_imagej(np.ones((1, 5, 4), np.uint8))), np.ones((5, 4)))


def labels_keep_their_numbers() -> None:
    assert labels_to_imagej(np.array([[0, 65_535]])).getBitDepth() == 16
    image = labels_to_imagej(np.array([[0, 65_536, 2**24]]))
    assert image.getBitDepth() == 32
    np.testing.assert_array_equal(image_from_imagej(image), [[0, 65_536, 2**24]])
    refused(lambda: labels_to_imagej(np.array([[2**24 + 1]])), "16777217")


def what_imagej_has_no_image_for() -> None:
    refused(lambda: image_to_imagej(np.zeros((2, 2), np.int64)), "int64")
    refused(lambda: image_to_imagej(np.zeros((2, 2, 2, 2), np.uint8)), "(2, 2, 2, 2)")
    refused(lambda: image_to_imagej(np.zeros((0, 2), np.uint8)), "(0, 2)")
    refused(lambda: image_to_imagej(np.zeros((2, 2, 3), np.uint16), axes="YXS"), "uint16")
    refused(lambda: image_to_imagej(np.zeros((2, 2, 3), np.uint16), axes="ZZX"), "ZZX")
    refused(lambda: image_to_imagej(np.zeros((2, 2, 2, 3), np.uint8), axes="CYXS"), "either channels or colours")
    refused(
        lambda: image_to_imagej(xarray.DataArray(np.zeros((2, 2, 2), np.uint8), dims=("row", "col", "spam"))), "spam"
    )


def stacks_know_their_axes() -> None:
    pixels = np.arange(2 * 3 * 4 * 5 * 6, dtype=np.uint16).reshape(2, 3, 4, 5, 6)
    image = image_to_imagej(pixels, axes="TZCYX")
    assert [int(n) for n in image.getDimensions()] == [6, 5, 4, 3, 2]  # width, height, channels, slices, frames
    image.setPosition(3, 2, 2)  # channel, slice, frame
    assert [int(image.getPixel(x, 4)[0]) for x in range(6)] == pixels[1, 1, 2, 4].tolist()
    assert axes_of(image) == "TZCYX"
    np.testing.assert_array_equal(image_from_imagej(image), pixels)
    for axes, size in (("ZYX", [5, 4, 1, 7, 1]), ("TYX", [5, 4, 1, 1, 7]), ("CYX", [5, 4, 7, 1, 1])):
        stack = image_to_imagej(np.arange(140, dtype=np.uint8).reshape(7, 4, 5), axes=axes)
        assert [int(n) for n in stack.getDimensions()] == size
        assert axes_of(stack) == axes
        np.testing.assert_array_equal(image_from_imagej(stack).ravel(), np.arange(140))
    colours = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    stack = image_to_imagej(colours, axes="ZYXS")
    assert axes_of(stack) == "ZYXS"
    np.testing.assert_array_equal(image_from_imagej(stack), colours)


def arrays_of_xarray_name_their_axes() -> None:
    pixels = np.arange(2 * 3 * 5 * 6 * 4, dtype=np.uint16).reshape(2, 3, 5, 6, 4)
    image = image_to_imagej(xarray.DataArray(pixels, dims=("t", "pln", "row", "col", "ch")))
    np.testing.assert_array_equal(image_from_imagej(image), pixels.transpose(0, 1, 4, 2, 3))


def label_stacks() -> None:
    labels = np.arange(2 * 3 * 4, dtype=np.int64).reshape(2, 3, 4)
    assert [int(n) for n in labels_to_imagej(labels).getDimensions()] == [4, 3, 1, 2, 1]
    assert [int(n) for n in labels_to_imagej(labels, axes="TYX").getDimensions()] == [4, 3, 1, 1, 2]
    np.testing.assert_array_equal(image_from_imagej(labels_to_imagej(labels)), labels)


def refused(call: Callable[[], object], culprit: str) -> None:
    with pytest.raises(CellspanError, match=re.escape(culprit)):
        call()


grey_and_channels()
colours()
values_are_those_that_imagej_shows()
the_other_byte_order_and_views()
what_the_shape_says_without_axes()
labels_keep_their_numbers()
what_imagej_has_no_image_for()
stacks_know_their_axes()
arrays_of_xarray_name_their_axes()
label_stacks()
