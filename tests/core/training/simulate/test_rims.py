"""Spread cells in phase contrast: their bodies stand out, their rims hardly do."""

import numpy as np
import pytest

from cellspan.core.training.simulate.rims import thin_rims

from .scenes import scene_of

pytestmark = pytest.mark.quick


def test_bodies_stand_out_more_than_rims() -> None:
    ratios = []
    for seed in range(8):
        scene = scene_of("spread", "thin rims", seed, diameter=40.0, coverage=0.4)
        image = thin_rims(scene, np.random.default_rng(seed))
        medium = np.median(image[scene.labels == 0])
        body, rim = scene.nuclei > 0, (scene.labels > 0) & (scene.nuclei == 0)
        ratios.append(np.abs(image[body] - medium).mean() / np.abs(image[rim] - medium).mean())
    assert np.median(ratios) > 1.3


def test_rims_are_to_be_seen() -> None:
    seen = []
    for seed in range(8):
        scene = scene_of("spread", "thin rims", seed, diameter=40.0, coverage=0.4)
        image = thin_rims(scene, np.random.default_rng(seed))
        medium = image[scene.labels == 0]
        rim = image[(scene.edge > 0) & (scene.edge < 4)]
        seen.append(np.abs(rim - np.median(medium)).mean() / np.abs(medium - np.median(medium)).mean())
    assert np.median(seen) > 1.2


def test_cells_without_nuclei_are_drawn_too() -> None:
    scene = scene_of("rod", "thin rims", coverage=0.3)
    scene.nuclei[:] = 0
    assert np.isfinite(thin_rims(scene, np.random.default_rng(0))).all()
