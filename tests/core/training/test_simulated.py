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


def test_fields_of_all_sizes_are_as_the_microscope_gave_them() -> None:
    pool = SimulatedPool(1, 20)
    fields = pool.of_all_sizes(12)
    assert {field.image.shape for field in fields} == {(2, 96, 96)}
    assert min(field.diameter for field in fields) < 20 < max(field.diameter for field in fields)
    assert not np.array_equal(fields[0].image, pool.of_all_sizes(1, held_out=True)[0].image)


def test_only_the_looks_that_are_asked_for() -> None:
    """Nuclei in stained tissue are dark on a bright ground, those of fluorescence are bright."""

    def brightness_of_cells(looks: tuple[str, ...]) -> list[bool]:
        fields = [field for seed in range(3) for field in SimulatedPool(seed, 20, looks).at(0)]
        return [
            bool(field.image[0][field.labels > 0].mean() > field.image[0][field.labels == 0].mean()) for field in fields
        ]

    assert np.mean(brightness_of_cells(("nuclei",))) > 0.8
    assert np.mean(brightness_of_cells(("stained nuclei",))) < 0.2
