"""The pool of simulated fields: what it holds depends on the seed and the step only."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cellspan.core.objects.labels import median_diameter
from cellspan.core.training.simulate import SimulatedField, simulate_cells
from cellspan.core.training.simulated import EVERY, SOURCE, SimulatedPool

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


def test_some_fields_of_the_training_are_empty_and_none_of_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellspan.core.training.simulated.EMPTY", 1.0)
    for field in [field for seed in range(4) for field in SimulatedPool(seed, 20).at(0)]:
        assert (field.source, field.diameter) == (SOURCE, 0)
        assert not field.labels.any()
        assert not field.flows.any()
        assert np.isfinite(field.image).all()
        assert field.image[0].std() > 0  # noise, dust, uneven light
    pool = SimulatedPool(1, 20)
    assert all(field.diameter for field in [*pool.held_out(2), *pool.of_all_sizes(2)])


def test_a_field_without_cells_by_chance_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[SimulatedField] = []

    def every_second_is_empty(*arguments: Any) -> SimulatedField:
        field = simulate_cells(*arguments)
        made.append(field if len(made) % 2 else replace(field, labels=0 * field.labels))
        return made[-1]

    monkeypatch.setattr("cellspan.core.training.simulated.simulate_cells", every_second_is_empty)
    pool = SimulatedPool(1, 20)
    assert all(field.diameter for field in [*pool.held_out(2), *pool.of_all_sizes(2)])
    assert len(made) >= 8


def test_only_the_looks_that_are_asked_for() -> None:
    """Nuclei in stained tissue are dark on a bright ground, those of fluorescence are bright."""

    def brightness_of_cells(looks: tuple[str, ...]) -> list[bool]:
        fields = [field for seed in range(3) for field in SimulatedPool(seed, 20, looks).at(0)]
        return [
            bool(field.image[0][field.labels > 0].mean() > field.image[0][field.labels == 0].mean()) for field in fields
        ]

    assert np.mean(brightness_of_cells(("nuclei",))) > 0.8
    assert np.mean(brightness_of_cells(("stained nuclei",))) < 0.2
