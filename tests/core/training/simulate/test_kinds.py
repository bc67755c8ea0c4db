"""Which looks and shapes there are, how often, and how they are arranged."""

import numpy as np
import pytest

from cellspan.core.training.simulate import LOOKS, SHAPES, simulate_cells
from cellspan.core.training.simulate.kinds import (
    OFTEN,
    SHAPES_OF_LOOK,
    SHAPES_OFTEN,
    STAGES,
    WITH_NUCLEI,
    look_at_random,
    plan_for,
    shape_for,
)

pytestmark = pytest.mark.quick

HARD = {
    "two-photon",
    "packed",
    "thick nuclei",
    "neurons",
    "confluent",
    "faint",
    "clumps",
    "unequal",
    "macrophages",
    "yeast",
    "thin rims",
    "rings",
}


def test_every_look_occurs_and_the_hard_ones_are_more_than_half() -> None:
    assert set(OFTEN) == set(LOOKS)
    assert min(OFTEN.values()) > 0
    assert sum(OFTEN.values()) == pytest.approx(1)
    assert sum(OFTEN[look] for look in HARD) == pytest.approx(0.54)
    rng = np.random.default_rng(0)
    assert {look_at_random(rng) for _ in range(600)} == set(LOOKS)


def test_tables_speak_of_looks_and_shapes_that_there_are() -> None:
    assert {*SHAPES_OF_LOOK, *STAGES, *WITH_NUCLEI} <= set(LOOKS)
    drawn = {shape for often in (SHAPES_OFTEN, *SHAPES_OF_LOOK.values()) for shape in often}
    assert drawn == set(SHAPES)


@pytest.mark.parametrize("look", sorted(HARD))
def test_shapes_and_plans_fit_the_look(look: str) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        cells = shape_for(look, rng)
        assert cells in SHAPES_OF_LOOK.get(look, SHAPES_OFTEN)
        plan = plan_for(cells, look, rng)
        assert plan.shape == cells
        assert 0 < plan.coverage <= 1
        assert plan.growth >= 1
        assert 0 <= plan.overlap < 0.7


@pytest.mark.parametrize("look", sorted(HARD))
def test_hard_looks_have_cells_to_be_found(look: str) -> None:
    counts = [int(simulate_cells((128, 128), 16, seed, look).labels.max()) for seed in range(5)]
    assert np.median(counts) >= 3


@pytest.mark.parametrize("look", ["confluent", "faint", "packed"])
def test_dense_looks_leave_little_room(look: str) -> None:
    covered = [np.mean(simulate_cells((128, 128), 20, seed, look, "epithelial").labels > 0) for seed in range(5)]
    assert np.median(covered) > (0.6 if look == "packed" else 0.8)
