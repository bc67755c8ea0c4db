"""The pool of simulated fields: what it holds depends on the seed and the step only."""

import numpy as np
import pytest

from cellspan.core.labels import median_diameter
from cellspan.core.training.simulated import EVERY, SimulatedPool

pytestmark = pytest.mark.quick


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellspan.core.training.simulated.POOL", 3)
    monkeypatch.setattr("cellspan.core.training.simulated.SIDE", 96)


def test_the_pool_at_a_step_is_the_same_however_it_was_reached() -> None:
    stepwise = SimulatedPool(1, 20)
    for step in range(2 * EVERY):
        stepwise.at(step)
    pools = [stepwise.at(2 * EVERY), SimulatedPool(1, 20).at(2 * EVERY)]
    assert len(pools[0]) == 3
    for one, other in zip(*pools, strict=True):
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.flows, other.flows)


def test_fields_come_at_the_mean_diameter_and_validation_has_its_own() -> None:
    pool = SimulatedPool(1, 20)
    fields, held_out = pool.at(0), pool.held_out(3)
    for field in [*fields, *held_out]:
        assert median_diameter(field.labels) == pytest.approx(20, rel=0.15)
        assert field.source == "simulated"
    assert not any(np.array_equal(field.image, other.image) for field in fields for other in held_out)
