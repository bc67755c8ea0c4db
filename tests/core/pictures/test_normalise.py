"""What the network sees: channels, percentiles, and what was cut out of the picture."""

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import image_from_array
from cellspan.core.pictures.normalise import network_input

pytestmark = pytest.mark.quick


@pytest.fixture
def ramp() -> np.ndarray:
    return np.arange(30 * 40, dtype=np.uint16).reshape(30, 40)


def test_rgb_is_segmented_by_its_luminance() -> None:
    rgb = np.zeros((20, 20, 3), np.uint8)
    rgb[5:10, 5:10] = 100, 50, 10
    image = image_from_array(rgb)
    assert image.is_rgb
    planes, _ = network_input(image, Parameters(normalize=None))
    assert planes[0, 6, 6] == pytest.approx(0.299 * 100 + 0.587 * 50 + 0.114 * 10)
    transparent = np.concatenate([rgb, np.full((20, 20, 1), 255, np.uint8)], axis=2)
    assert np.array_equal(network_input(image_from_array(transparent), Parameters(normalize=None))[0], planes)


def test_numbers_beyond_float32_are_refused() -> None:
    plane = np.ones((5, 5))
    plane[0, 0] = 1e300
    with pytest.raises(CellspanError, match="too large"):
        network_input(image_from_array(plane), Parameters(normalize=None))


def test_channels_are_chosen_and_missing_ones_named(ramp: np.ndarray) -> None:
    image = image_from_array(np.stack([ramp, ramp * 0, ramp[::-1]]))
    planes, notes = network_input(image, Parameters(channel=2, nuclei_channel=0))
    assert notes == []
    assert planes[1, -1, -1] > planes[0, -1, -1]
    assert "channel 0" in network_input(image, Parameters())[1][0]
    with pytest.raises(CellspanError, match="nuclei_channel = 3, but the image has 3"):
        network_input(image, Parameters(nuclei_channel=3))


def test_percentiles_become_zero_and_one(ramp: np.ndarray) -> None:
    planes, _ = network_input(image_from_array(ramp), Parameters(normalize=(10, 90)))
    assert np.percentile(planes[0], [10, 90]) == pytest.approx([0, 1], abs=1e-3)
    inverted, _ = network_input(image_from_array(ramp), Parameters(normalize=(10, 90), invert=True))
    assert inverted[0] == pytest.approx(1 - planes[0])


def test_large_integers_keep_their_contrast() -> None:
    plane = np.full((20, 20), 4_000_000_000, np.uint32)
    plane[5:10] += 3
    planes, _ = network_input(image_from_array(plane), Parameters())
    assert planes[0].max() == pytest.approx(1)


def test_constant_images_are_flat_and_said_to_be() -> None:
    planes, notes = network_input(image_from_array(np.full((5, 5), 7)), Parameters())
    assert not planes.any()
    assert "constant" in notes[0]


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_pixels_that_are_no_numbers_are_refused(bad: float) -> None:
    plane = np.ones((5, 5), np.float32)
    plane[2, 2] = bad
    with pytest.raises(CellspanError, match="1 pixels are NaN or infinite"):
        network_input(image_from_array(plane), Parameters())


@pytest.mark.parametrize("options", [{}, {"invert": True}, {"normalize": None}, {"normalize": None, "invert": True}])
def test_nan_outside_a_mask_is_background(ramp: np.ndarray, options: dict[str, object]) -> None:
    plane = np.pad(ramp.astype(np.float32), 7, constant_values=np.nan)
    plane[0, 0] = np.nan
    parameters = Parameters(**options)
    planes, notes = network_input(image_from_array(plane), parameters)
    inside, _ = network_input(image_from_array(ramp.astype(np.float32)), parameters)
    np.testing.assert_array_equal(planes[0, 7:-7, 7:-7], inside[0])
    outside = planes[0][np.isnan(plane)]
    assert (outside == (inside[0].min() if "normalize" in options else 0)).all()
    assert notes == [
        f"{plane.size - ramp.size} of {plane.size} pixels are NaN, as where a mask or ROI was cut out; they are taken "
        "as background."
    ]


def test_an_image_of_nothing_but_nan_is_refused() -> None:
    with pytest.raises(CellspanError, match="all pixels are NaN"):
        network_input(image_from_array(np.full((5, 5), np.nan)), Parameters())
