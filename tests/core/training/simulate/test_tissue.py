"""Looks of thick tissue: neuropil with vessels, packed cells, nuclei in layers."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from cellspan.core.training.simulate import simulate_cells
from cellspan.core.training.simulate.light import count
from cellspan.core.training.simulate.tissue import in_layers, in_neuropil, two_photon
from cellspan.core.training.simulate.vessels import vessels, walk

from .scenes import SHAPE, scene_of

pytestmark = pytest.mark.quick


def contrast(plane: np.ndarray, labels: np.ndarray) -> float:
    """Brightness of cells less that of what is next to them, relative to it."""
    inside = labels > 0
    beside = binary_dilation(inside, iterations=5) & ~binary_dilation(inside, iterations=2)
    return float(plane[inside].mean() / plane[beside].mean() - 1)


@pytest.mark.parametrize("look", ["two-photon", "thick nuclei"])
def test_annotated_cells_are_brighter_than_what_is_beside_them(look: str) -> None:
    fields = [simulate_cells(SHAPE, 18, seed, look, "round") for seed in range(12)]
    found = [contrast(field.image[0], field.labels) for field in fields if field.labels.any()]
    assert np.mean(np.array(found) > 0.03) >= 0.8


def test_vessels_are_dark_and_hold_no_cells() -> None:
    seen = 0
    for seed in range(12):
        scene = in_neuropil(scene_of("round", "two-photon", seed), np.random.default_rng(seed))
        assert scene.vessels is not None
        inside = scene.vessels > 0.8
        if not 0.03 < inside.mean() < 0.8:
            continue
        seen += 1
        assert np.mean(scene.annotated[inside] > 0) < 0.25  # walls of cells beside it
        image = two_photon(scene, np.random.default_rng(seed))
        assert image[inside].mean() < image[(scene.vessels < 0.1) & (scene.annotated == 0)].mean()
    assert seen >= 3


def test_vessels_have_soft_walls_between_0_and_1() -> None:
    masks = [vessels(SHAPE, 20, np.random.default_rng(seed)) for seed in range(8)]
    assert all(mask.shape == SHAPE and mask.min() >= 0 and mask.max() <= 1.001 for mask in masks)
    assert sum(mask.any() for mask in masks) >= 4


def test_ways_begin_where_they_should_and_go_on_in_steps() -> None:
    way = walk(np.array([[3.0, 4.0]]), np.array([0.0]), 2.0, 0.1, 10, np.random.default_rng(0))
    assert way.shape == (1, 10, 2)
    assert np.array_equal(way[0, 0], (3, 4))
    assert np.linalg.norm(np.diff(way[0], axis=0), axis=1) == pytest.approx(np.full(9, 2.0))


def test_some_nuclei_of_a_thick_slice_are_not_annotated() -> None:
    scenes = [in_layers(scene_of("round", "thick nuclei", seed), np.random.default_rng(seed)) for seed in range(4)]
    assert all(0 < scene.annotated.max() < count(scene) for scene in scenes)


def test_membranes_of_packed_cells_are_of_uneven_strength() -> None:
    spreads = []
    for seed in range(6):
        field = simulate_cells(SHAPE, 16, seed, "packed", "epithelial")
        light = np.bincount(field.labels.ravel(), field.image[0].ravel()) / np.bincount(field.labels.ravel())
        spreads.append(light[1:].std() / light[1:].mean())
    assert np.median(spreads) > 0.2
