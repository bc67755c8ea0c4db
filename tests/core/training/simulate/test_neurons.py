"""Neurons: bodies in the labels, long neurites beyond them."""

import numpy as np
import pytest

from cellspan.core.training.simulate import simulate_cells
from cellspan.core.training.simulate.neurons import neurites, neurons

from .scenes import scene_of

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("cells", ["neuron", "round"])
def test_neurites_leave_the_labels(cells: str) -> None:
    scene = scene_of(cells, "neurons", coverage=0.1)
    light = neurites(scene, np.random.default_rng(0))
    assert light.min() >= 0
    outside = light[scene.labels == 0]
    assert np.mean(outside > 0.1) > 0.01
    assert np.mean(outside < 0.1) > 0.3  # thin


def test_neurites_can_be_seen_in_fluorescence() -> None:
    brighter = []
    for seed in range(8):
        scene = scene_of("neuron", "neurons", seed, coverage=0.1)
        twice = [neurons(scene, np.random.default_rng(seed)) for _ in range(2)]
        assert np.array_equal(*twice)
        free = scene.labels == 0
        process = neurites(scene, np.random.default_rng(seed))  # drawn first, from the same numbers
        brighter.append(twice[0][free & (process > 0.3)].mean() - twice[0][free & (process < 0.01)].mean())
    # In phase contrast, which is a quarter of the fields, they are darker.
    assert np.mean(np.array(brighter) > 0) >= 0.5


def test_a_field_without_cells_has_no_neurites() -> None:
    scene = scene_of("neuron", "neurons", coverage=0.0)
    assert not neurites(scene, np.random.default_rng(0)).any() or scene.labels.any()


def test_labels_of_neurons_are_bodies_with_short_processes() -> None:
    """Their extent is a few diameters at most."""
    field = simulate_cells((200, 200), 20, 1, "neurons", "neuron")
    for label in range(1, field.labels.max() + 1):
        y, x = np.nonzero(field.labels == label)
        assert max(np.ptp(y), np.ptp(x)) < 5 * 20
