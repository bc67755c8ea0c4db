"""Looks of cells in culture: what each of them promises is to be seen."""

import numpy as np
import pytest

from cellspan.core.training.simulate import SimulatedField, simulate_cells
from cellspan.core.training.simulate.cultures import at_many_depths

from .scenes import SHAPE, scene_of

pytestmark = pytest.mark.quick


def of_cells(field: SimulatedField, channel: int = 0) -> np.ndarray:
    """Mean grey value of each cell."""
    sizes = np.bincount(field.labels.ravel())
    return np.asarray((np.bincount(field.labels.ravel(), field.image[channel].ravel()) / sizes)[1:])


def test_some_cells_are_many_times_brighter_than_others() -> None:
    ratios = []
    for seed in range(8):
        light = of_cells(simulate_cells(SHAPE, 14, seed, "unequal", "round"))
        if len(light) > 10:
            ratios.append(np.quantile(light, 0.95) / np.quantile(light, 0.05))
    assert np.median(ratios) > 3


def test_faint_cells_are_about_as_bright_as_their_neighbours() -> None:
    spreads = [of_cells(simulate_cells(SHAPE, 18, seed, "faint", "epithelial")) for seed in range(6)]
    assert np.median([light.std() / light.mean() for light in spreads]) < 0.35


def test_macrophages_are_dim_and_their_nuclei_bright() -> None:
    fields = [simulate_cells(SHAPE, 24, seed, "macrophages", "round") for seed in range(12)]
    above = [field.image[0][field.labels > 0].mean() / field.image[0][field.labels == 0].mean() for field in fields]
    assert np.mean(np.array(above) > 1) >= 0.8
    assert np.median(above) < 4
    assert sum(field.image[1].any() for field in fields) >= 6


def test_cells_of_a_clump_lie_at_several_depths() -> None:
    scene = at_many_depths(scene_of("round", "clumps"), np.random.default_rng(0))
    assert len(np.unique(scene.depth)) > 5
    assert 0 < scene.annotated.max() <= scene.labels.max()


@pytest.mark.parametrize("cells", ["myoblast", "spread"])
def test_confluent_cells_have_contrast_at_some_edges(cells: str) -> None:
    for seed in range(3):
        field = simulate_cells(SHAPE, 24, seed, "confluent", cells)
        assert field.image[0].std() > 3
        assert field.labels.max() > 5
