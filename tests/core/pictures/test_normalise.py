"""What the network sees: channels, percentiles, and what was cut out of the picture."""

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import image_from_array
from cellspan.core.pictures.masks import with_mask
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


def test_limits_become_zero_and_one_in_every_image(ramp: np.ndarray) -> None:
    for plane in (ramp, ramp[:5], ramp.astype(np.float32)):
        planes, notes = network_input(image_from_array(plane), Parameters(limits=(200, 700)))
        np.testing.assert_allclose(planes[0], (plane - 200.0) / 500, rtol=1e-6)
        assert notes == []


def test_each_channel_can_have_limits_of_its_own(ramp: np.ndarray) -> None:
    image = image_from_array(np.stack([ramp, ramp, ramp]))
    parameters = Parameters(channel=(0, 2), nuclei_channel=1, limits=(0, 100, 0, 200, 0, 400), combine="maximum")
    planes, _ = network_input(image, parameters)
    np.testing.assert_allclose(planes, np.stack([ramp / 100, ramp / 400]), rtol=1e-6)


def test_limits_replace_the_rest_and_say_so(ramp: np.ndarray) -> None:
    image = image_from_array(ramp)
    expected, _ = network_input(image, Parameters(limits=(200, 700)))
    planes, notes = network_input(image, Parameters(limits=(200, 700), tile_norm=20, smooth=2))
    np.testing.assert_array_equal(planes, expected)
    assert notes == ["The grey values in limits are fixed, so tile_norm and smooth had no effect."]


@pytest.mark.parametrize(("how", "combine"), [("mean", np.mean), ("maximum", np.max)])
def test_several_channels_are_scaled_each_and_then_combined(ramp: np.ndarray, how: str, combine: object) -> None:
    image = image_from_array(np.stack([ramp, ramp[::-1] * 30, ramp]))
    each = [network_input(image, Parameters(channel=k, invert=True))[0][0] for k in (1, 2)]
    planes, notes = network_input(image, Parameters(channel=(1, 2), combine=how, invert=True))
    np.testing.assert_allclose(planes[0], combine(each, axis=0), rtol=1e-6)
    assert notes == []
    with pytest.raises(CellspanError, match="channel = 3, but the image has 3"):
        network_input(image, Parameters(channel=(1, 3)))


OPTIONS = [
    {},
    {"invert": True},
    {"normalize": None},
    {"limits": (100, 900)},
    {"tile_norm": 16},
    {"smooth": 1.5, "sharpen": 4},
    {"channel": (0, 1), "nuclei_channel": 2},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("outside", [0, 65_535.0, np.nan, np.inf])
def test_what_lies_outside_a_mask_changes_nothing(options: dict[str, object], outside: float) -> None:
    stack = np.random.default_rng(0).integers(0, 1000, (3, 40, 50)).astype(np.float32)
    mask = np.zeros((40, 50), bool)
    mask[8:35, 5:41] = True
    parameters = Parameters(**{"channel": 0, **options})
    found, notes = network_input(with_mask(image_from_array(np.where(mask, stack, outside)), mask), parameters)
    expected, _ = network_input(with_mask(image_from_array(stack), mask), parameters)
    np.testing.assert_array_equal(found, expected)
    assert notes == []
    assert np.ptp(found[0][~mask]) == 0
    if not {"tile_norm", "smooth"} & set(options):
        cut_out, _ = network_input(image_from_array(stack[:, 8:35, 5:41]), parameters)
        np.testing.assert_array_equal(found[:, 8:35, 5:41], cut_out)


def test_gaps_inside_a_mask_are_told() -> None:
    plane = np.random.default_rng(0).random((20, 20))
    mask = np.zeros((20, 20), bool)
    mask[:10] = True
    plane[0, :3] = np.nan
    plane[15] = np.nan
    _, notes = network_input(with_mask(image_from_array(plane), mask), Parameters())
    assert notes[0].startswith("3 of 400 pixels are NaN")
    plane[:10] = np.nan
    with pytest.raises(CellspanError, match="all pixels inside the mask are NaN"):
        network_input(with_mask(image_from_array(plane), mask), Parameters())


def test_light_that_falls_off_is_evened_out_by_tiles() -> None:
    light = np.linspace(1, 6, 300)[None]
    plane = np.random.default_rng(0).random((200, 300)) * light
    planes, _ = network_input(image_from_array(plane), Parameters(tile_norm=50))
    left, right = planes[0][:, 10:60], planes[0][:, -60:-10]
    assert right.mean() == pytest.approx(left.mean(), abs=0.1)
    large, _ = network_input(image_from_array(plane + 4e9), Parameters(tile_norm=50))
    np.testing.assert_allclose(large[0], planes[0], atol=1e-4)
