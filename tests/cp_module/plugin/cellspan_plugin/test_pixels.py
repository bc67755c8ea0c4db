"""CellProfiler's floats become the file's integers again, to the last one; computed floats stay floats."""

from __future__ import annotations

import numpy as np
import pytest
from cellspan_plugin.pixels import (
    as_channels,
    engine_pixels,
    engine_volume,
    factor_of,
    file_integers,
    volumes_as_channels,
    with_values_outside,
)
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pytestmark = pytest.mark.quick


def as_cellprofiler_reads(integers: np.ndarray, scale: float) -> np.ndarray:
    return integers.astype(np.float32) / float(scale)  # python-bioformats does exactly this


@pytest.mark.parametrize(("dtype", "scale"), [(np.uint8, 255), (np.uint16, 4095), (np.uint16, 65535)])
def test_every_integer_that_a_file_can_hold_comes_back(dtype: type, scale: int) -> None:
    integers = np.arange(np.iinfo(dtype).max + 1).astype(dtype).reshape(16, -1)
    found = file_integers(as_cellprofiler_reads(integers, scale), scale)
    np.testing.assert_array_equal(found, integers)
    assert found.dtype == dtype


@given(arrays(np.uint16, (5, 7)), st.sampled_from([255, 1023, 4095, 16383, 65535, 2**32]))
def test_any_image_comes_back_when_its_scale_is_known(integers: np.ndarray, scale: float) -> None:
    np.testing.assert_array_equal(file_integers(as_cellprofiler_reads(integers, scale), scale), integers)


@pytest.mark.parametrize("scale", [255, 4095, 65535])
@pytest.mark.parametrize("told", [None, 1023.0, 0, float("nan"), -1])
def test_common_scales_are_found_without_being_told_the_right_one(scale: int, told: float | None) -> None:
    integers = np.random.default_rng(0).integers(0, min(scale, 4000) + 1, (40, 40)).astype(np.uint16)
    np.testing.assert_array_equal(file_integers(as_cellprofiler_reads(integers, scale), told), integers)


def test_double_precision_is_read_as_well() -> None:
    integers = np.random.default_rng(0).integers(0, 65536, (40, 40)).astype(np.uint16)
    np.testing.assert_array_equal(file_integers(integers / 65535.0, 65535), integers)
    np.testing.assert_array_equal(file_integers(as_cellprofiler_reads(integers, 65535).astype(float)), integers)


@pytest.mark.parametrize("scale", [None, 1, 255, 65535, 2**32])
def test_computed_images_stay_floats(scale: float | None) -> None:
    floats = np.random.default_rng(0).random((40, 40), np.float32)
    found = file_integers(floats, scale)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, floats)


def test_one_pixel_that_is_no_integer_is_enough_for_floats() -> None:
    pixels = as_cellprofiler_reads(np.full((8, 8), 100, np.uint8), 255)
    pixels[3, 3] += 1e-5
    assert file_integers(pixels, 255).dtype == np.float32


@pytest.mark.parametrize("bad", [-0.25, np.nan, np.inf, 300.0])
def test_pixels_out_of_range_go_to_the_engine_as_they_are(bad: float) -> None:
    pixels = np.array([[0.0, bad]], np.float32)
    np.testing.assert_array_equal(file_integers(pixels, 255 * 257), pixels)


def test_a_file_of_floats_is_not_turned_into_integers() -> None:
    pixels = as_cellprofiler_reads(np.arange(256, dtype=np.uint8).reshape(16, 16), 255)
    assert file_integers(pixels, 1).dtype == np.float32


def test_binary_images_become_zeros_and_ones() -> None:
    np.testing.assert_array_equal(file_integers(np.eye(3) > 0), np.eye(3, dtype=np.uint8))


@pytest.mark.parametrize(
    ("shape", "sent"), [((6, 5), (6, 5)), ((6, 5, 1), (6, 5)), ((6, 5, 3), (6, 5, 3)), ((6, 5, 2), (2, 6, 5))]
)
def test_axes(shape: tuple[int, ...], sent: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).random(shape, np.float32)
    array = engine_pixels(pixels)
    assert array.shape == sent
    assert array.flags.c_contiguous


def test_volumes_come_back_to_the_last_integer() -> None:
    integers = np.random.default_rng(0).integers(0, 65536, (3, 40, 50)).astype(np.uint16)
    np.testing.assert_array_equal(engine_volume(as_cellprofiler_reads(integers, 65535), 65535), integers)
    one_channel = as_cellprofiler_reads(integers[..., None], 65535)
    np.testing.assert_array_equal(engine_volume(one_channel, 65535), integers)
    both = volumes_as_channels(integers, integers[::-1])
    assert both.dtype == np.uint16
    np.testing.assert_array_equal(both[:, 1], integers[::-1])
    assert volumes_as_channels(integers, integers.astype(np.uint8)).dtype == np.float32


def test_colours_of_a_volume_become_their_luminance() -> None:
    colours = np.zeros((2, 4, 5, 3), np.uint8)
    colours[..., 1] = 100
    np.testing.assert_allclose(engine_volume(colours), np.full((2, 4, 5), 58.7), rtol=1e-6)
    with pytest.raises(ValueError, match="select a single channel"):
        engine_volume(np.zeros((2, 4, 5, 2), np.uint8))


def test_several_images_become_channels() -> None:
    grey = np.arange(20, dtype=np.uint8).reshape(4, 5)
    colour = np.dstack([grey] * 3)
    joined = as_channels(grey, grey.astype(np.uint16), colour)
    assert (joined.shape, joined.dtype) == ((3, 4, 5), np.float32)
    np.testing.assert_allclose(joined, [grey] * 3, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_undefined_outside_the_mask_has_no_influence(bad: float) -> None:
    grey = np.linspace(0.2, 1, 20, dtype=np.float32).reshape(4, 5)
    mask = grey < 0.9
    holes = np.where(mask, grey, np.float32(bad))
    found = with_values_outside(holes, mask)
    np.testing.assert_array_equal(found, np.where(mask, grey, np.float32(0.2)))
    colours = with_values_outside(np.dstack([holes] * 3), mask)
    np.testing.assert_array_equal(colours, np.dstack([found] * 3))
    assert with_values_outside(grey, mask) is grey
    inside = np.where(grey == grey[0, 0], np.float32(bad), grey)
    assert not np.isfinite(with_values_outside(inside, mask)).all(), "inside, it is an error that the engine names"
    assert (with_values_outside(np.full((2, 2), bad), np.zeros((2, 2), bool)) == 0).all()


@pytest.mark.parametrize(("kind", "scale"), [(np.uint8, 255), (np.uint16, 4095), (np.uint16, 65535)])
def test_how_many_grey_values_an_intensity_of_one_is(kind: type, scale: int) -> None:
    integers = np.random.default_rng(0).integers(0, scale // 3, (30, 40)).astype(kind)
    assert factor_of(as_cellprofiler_reads(integers, scale), scale) == scale
    assert factor_of(np.linspace(0, 0.7, 50).reshape(5, 10).astype(np.float32), 1) == 1
    assert factor_of(integers) == 1, "these are no intensities from 0 to 1"
    assert factor_of(np.zeros((3, 3), np.float32), scale) == 1
