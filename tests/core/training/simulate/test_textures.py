"""Textures: standardised noise, spots of the density that was asked for, blur that keeps the light."""

import numpy as np
import pytest

from cellspan.core.training.simulate.textures import blurred, fibres, noise, rough_noise, spots

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("scale", [1.0, 7.5, 80.0])
def test_noise_has_mean_0_and_spread_1_and_grains_of_its_scale(scale: float) -> None:
    rng = np.random.default_rng(0)
    for plane in (noise((90, 70), scale, rng), rough_noise((90, 70), scale, rng), *fibres((90, 70), scale, rng)):
        assert plane.shape == (90, 70)
        assert plane.dtype == np.float32
        assert abs(plane.mean()) < 1e-3
        assert plane.std() == pytest.approx(1, abs=1e-3)


def test_spots_are_as_many_and_as_bright_as_asked() -> None:
    plane = spots((400, 400), 1e-4, 4.0, np.random.default_rng(0))
    assert plane.sum() == pytest.approx(16 * 2 * np.pi * (4 / 2.4) ** 2, rel=0.8)


@pytest.mark.parametrize("sigma", [0.1, 2.0, 30.0])
def test_blur_keeps_the_light(sigma: float) -> None:
    plane = np.random.default_rng(0).random((120, 100), np.float32)
    assert blurred(plane, sigma).mean() == pytest.approx(plane.mean(), rel=0.02)
