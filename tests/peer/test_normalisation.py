"""Limits, percentiles, tiles, smoothing and sharpening mean what they mean in `cellpose.transforms` of 3.1.1.2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cellpose.transforms import normalize_img

from cellspan.core.parameters import Parameters
from cellspan.core.pictures.filters import REACH
from cellspan.core.pictures.images import Floats, image_from_array
from cellspan.core.pictures.normalise import network_input
from cellspan.core.pictures.volume import Volume
from cellspan.core.training.simulate import simulate_nuclei
from cellspan.core.volumes.intensities import Intensities

pytestmark = pytest.mark.filterwarnings("default")  # cellpose, and what it loads, are not ours to mend
CLOSE = 1e-4  # of the range from 0 to 1


def plane(shape: tuple[int, int]) -> Floats:
    """Simulated nuclei under a light that falls off."""
    pixels = simulate_nuclei(shape, diameter=20).image.astype(np.float32)
    return pixels * np.linspace(0.5, 2, shape[1], dtype=np.float32) + 50


def ours(pixels: Floats, **options: Any) -> Floats:
    """What the network sees."""
    return network_input(image_from_array(pixels), Parameters(**options))[0][0]


def theirs(pixels: Floats, **options: Any) -> Floats:
    """What theirs sees of a stack of one slice, because of a plane they scale every row of tiles as the first one."""
    return normalize_img(pixels[None, ..., None].copy(), **options)[0, ..., 0]


@pytest.mark.parametrize("shape", [(256, 256), (200, 333)])
@pytest.mark.parametrize(
    ("options", "peer"),
    [
        ({}, {}),
        ({"invert": True}, {"invert": True}),
        ({"normalize": (2, 97)}, {"percentile": (2, 97)}),
        ({"limits": (100, 900)}, {"lowhigh": (100, 900)}),
        ({"limits": (100, 900), "tile_norm": 50, "smooth": 3}, {"lowhigh": (100, 900), "tile_norm_blocksize": 50}),
        ({"tile_norm": 100}, {"tile_norm_blocksize": 100}),
        ({"tile_norm": 37, "normalize": (3, 98)}, {"tile_norm_blocksize": 37, "percentile": (3, 98)}),
        ({"tile_norm": 5000}, {"tile_norm_blocksize": 5000}),
    ],
)
def test_scaling(shape: tuple[int, int], options: dict[str, Any], peer: dict[str, Any]) -> None:
    pixels = plane(shape)
    np.testing.assert_allclose(ours(pixels, **options), theirs(pixels, **peer), atol=CLOSE)


def test_their_tiles_of_a_plane_are_those_of_its_first_row() -> None:
    pixels = plane((256, 256))
    found, expected = ours(pixels, tile_norm=50), normalize_img(pixels[..., None].copy(), tile_norm_blocksize=50)
    np.testing.assert_allclose(found[0], expected[0, :, 0], atol=CLOSE)
    assert np.abs(found - expected[..., 0]).max() > 0.1


def test_tiles_without_contrast() -> None:
    pixels = plane((256, 256))
    pixels[:, 120:] = 50
    np.testing.assert_allclose(
        ours(pixels, tile_norm=40), theirs(pixels, tile_norm_blocksize=40), atol=CLOSE, rtol=CLOSE
    )


@pytest.mark.parametrize(("smooth", "sharpen"), [(2.0, 0.0), (0.0, 8.0), (2.0, 8.0)])
def test_smoothing_and_sharpening(smooth: float, sharpen: float) -> None:
    """Of a square picture, away from the border, where theirs mirrors the opposite one.

    Their kernel lies one pixel beside the middle, so that what is smoothed moves by one pixel; sharpening keeps the
    picture and moves only its surroundings. It is also wider by a factor of (n - 1) / (n + 1) for n pixels.
    """
    pixels = plane((400, 400))
    options = {"smooth_radius": smooth, "sharpen_radius": sharpen, "normalize": False}
    expected = theirs(pixels, **options)
    kept = np.zeros_like(pixels) if smooth else pixels
    expected = kept - np.roll(kept - expected, (-1, -1), (0, 1))
    found = ours(pixels, smooth=smooth, sharpen=sharpen, normalize=None)
    inner = (slice(int(REACH * 8) + 1, -int(REACH * 8) - 1),) * 2
    difference = np.abs(found - expected)[inner].max()
    moved = np.abs(found - np.roll(expected, (1, 1), (0, 1)))[inner].max()
    assert difference < 0.005 * np.ptp(expected), "half a percent of the range"
    assert moved > 3 * difference


def test_faults_of_theirs_that_are_not_followed() -> None:
    """What docs/intensities.md says of them."""
    point = np.zeros((200, 400), np.float32)
    point[100, 200] = 1
    spreads = []
    for blurred in (ours(point, smooth=5, normalize=None), theirs(point, smooth_radius=5, normalize=False)):
        y, x = np.indices(point.shape)
        middle = np.average(y, weights=blurred), np.average(x, weights=blurred)
        spreads.append(
            [np.average((axis - at) ** 2, weights=blurred) ** 0.5 for axis, at in zip((y, x), middle, strict=True)]
        )
    assert spreads[0] == [pytest.approx(5, rel=0.02)] * 2
    assert spreads[1][1] > 1.8 * spreads[1][0]
    edge = np.zeros((200, 200), np.float32)
    edge[:, :5] = 1
    assert theirs(edge, smooth_radius=5, normalize=False)[:, -1].min() > 0.1
    assert ours(edge, smooth=5, normalize=None)[:, -1].max() < 1e-6
    pixels = plane((128, 128))
    plain, inverted = (theirs(pixels, tile_norm_blocksize=50, invert=invert) for invert in (False, True))
    np.testing.assert_array_equal(plain, inverted)
    np.testing.assert_allclose(ours(pixels, tile_norm=50, invert=True), 1 - plain, atol=CLOSE)


@pytest.mark.parametrize("peer", [{}, {"tile_norm_blocksize": 60}, {"lowhigh": (100, 900)}])
def test_volumes(peer: dict[str, Any]) -> None:
    stack = np.stack([plane((120, 150)) * weight for weight in (0.7, 1.0, 1.3, 0.9)])
    names = {"tile_norm_blocksize": "tile_norm", "lowhigh": "limits"}
    parameters = Parameters(do_3d=True, **{names[name]: value for name, value in peer.items()})
    whole = tuple(slice(0, length) for length in stack.shape)
    found = Intensities(Volume(stack[None]), parameters).planes(whole)[0]
    np.testing.assert_allclose(found, normalize_img(stack[..., None].copy(), norm3D=True, **peer)[..., 0], atol=CLOSE)
