"""Round cells in transmitted light: their wall is bright or dark with the focus."""

import numpy as np
import pytest

from cellspan.core.training.simulate import simulate_cells
from cellspan.core.training.simulate.fringes import fringed

from .scenes import scene_of

pytestmark = pytest.mark.quick


def test_the_wall_turns_from_dark_to_bright_with_the_focus() -> None:
    scene = scene_of("budding", "yeast", coverage=0.3)
    n = int(scene.labels.max())
    near_wall = (scene.edge > 0) & (scene.edge < 5)
    rises = []
    for seed in range(12):
        low, high = (fringed(scene, np.full(n + 1, focus), np.random.default_rng(seed)) for focus in (-1.0, 1.0))
        rises.append(np.abs(high - low)[near_wall].mean() / np.abs(high - low)[scene.labels == 0].mean())
    assert np.median(rises) > 2  # it is the wall that changes


def test_walls_of_yeast_are_bright_in_some_fields_and_dark_in_others() -> None:
    signs = []
    for seed in range(20):
        field = simulate_cells((120, 120), 22, seed, "yeast", "budding")
        if not field.labels.any():
            continue
        inner = np.zeros_like(field.labels, bool)
        inner[1:-1, 1:-1] = (field.labels[1:-1, 1:-1] > 0) & (
            (field.labels[:-2, 1:-1] == 0) | (field.labels[2:, 1:-1] == 0)
        )
        signs.append(field.image[0][inner].mean() > np.median(field.image[0][field.labels == 0]))
    assert 0.2 < np.mean(signs) < 0.8


def test_a_field_without_cells_is_flat() -> None:
    scene = scene_of("budding", "yeast", coverage=0.0)
    if not scene.labels.any():
        assert not fringed(scene, np.zeros(1), np.random.default_rng(0)).any()


def test_yeast_has_no_second_channel() -> None:
    assert not any(simulate_cells((80, 80), 20, seed, "yeast").image[1].any() for seed in range(6))
