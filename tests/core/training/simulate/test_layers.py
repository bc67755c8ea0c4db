"""Cells out of focus: blurred by their depth, and without labels when nobody could draw them."""

from dataclasses import replace

import numpy as np
import pytest

from cellspan.core.training.simulate.layers import layered, other_layers, out_of_focus, without
from cellspan.core.training.simulate.layout import BLURRED_AWAY

from .scenes import scene_of

pytestmark = pytest.mark.quick


def test_a_share_of_the_cells_is_out_of_focus_and_not_annotated() -> None:
    scene = scene_of("round", "thick nuclei")
    n = int(scene.labels.max())
    deep = out_of_focus(scene, 0.4, np.random.default_rng(0))
    gone = deep.depth > BLURRED_AWAY
    assert gone.sum() == round(0.4 * n)
    assert deep.annotated.max() == n - gone.sum()
    assert not deep.annotated[gone[scene.labels]].any()
    assert np.array_equal(scene.annotated, scene.labels)
    # Painted first, deep cells lie under the others.
    numbers = np.arange(n + 1)
    assert numbers[gone].mean() < numbers[~gone].mean()


def test_deeper_cells_are_more_blurred_and_absent_ones_dark() -> None:
    scene = scene_of("round", "nuclei", coverage=0.2, overlap=0.0)
    n = int(scene.labels.max())
    light = (scene.labels > 0).astype(np.float32)
    brightest = []
    for depth in (0.0, 0.4, 1.0, 3.0, np.inf):
        placed = replace(scene, depth=np.full(n + 1, depth))
        brightest.append(layered(placed, light, np.zeros(n + 1), np.random.default_rng(0)).max())
    assert brightest[0] == pytest.approx(1)
    assert all(np.diff(brightest) < 0)
    assert brightest[-1] == 0


def test_lower_cells_shine_through() -> None:
    scene = scene_of("round", "thick nuclei", coverage=1.0, overlap=0.5)
    assert scene.under.any()
    dark = np.zeros(scene.labels.shape, np.float32)
    seen = layered(scene, dark, np.ones(len(scene.depth)), np.random.default_rng(0))
    assert np.array_equal(seen > 0, scene.under > 0)


def test_cells_are_left_out_where_there_is_something_else() -> None:
    scene = scene_of("round", "nuclei", coverage=0.5)
    half = np.zeros(scene.labels.shape, np.float32)
    half[:, :75] = 1
    left = without(scene, half).annotated
    assert not left[:, :60].any()
    assert left[:, 90:].any()


def test_other_layers_are_soft() -> None:
    scene = scene_of("round", "nuclei", coverage=0.5)
    light = (scene.labels > 0).astype(np.float32)
    haze = other_layers(light, 20, np.random.default_rng(0))
    assert haze.max() > 0
    assert np.abs(np.diff(haze)).max() < 0.4 * np.abs(np.diff(light)).max()
