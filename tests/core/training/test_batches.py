"""Batches: what each step learns from depends on the step alone, whoever cuts it."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from cellspan.core.training.augment import Crop  # noqa: E402
from cellspan.core.training.batches import WIDE_CROPS, Batch, Batches, batch_of, batches_from  # noqa: E402
from cellspan.core.training.data import Field, field_at  # noqa: E402
from cellspan.core.training.recipe import Recipe  # noqa: E402
from cellspan.core.training.simulate import simulate_nuclei  # noqa: E402
from cellspan.core.training.simulated import SimulatedPool  # noqa: E402


@pytest.fixture(scope="module")
def fields() -> list[Field]:
    made = [simulate_nuclei((96, 96), 20, seed=seed) for seed in (0, 1)]
    return [field_at("nuclei", np.stack([one.image, 0 * one.image]), one.labels, 20.0) for one in made]


def batches(fields: list[Field], shares: int = 1, simulated: float = 0.0) -> Batches:
    recipe = Recipe("test", batch=3, crop=64, simulated=simulated)
    pool = SimulatedPool(0, 20.0, size=4, side=96) if simulated else None
    return Batches(recipe, fields, np.full(len(fields), 1 / len(fields)), pool, shares)


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in one.__dataclass_fields__)


@pytest.mark.quick
def test_a_batch_depends_on_its_step_alone(fields: list[Field]) -> None:
    first, second = batches(fields), batches(fields)
    second[0]
    assert same(first[7], second[7])
    assert not same(first[7], first[8])


@pytest.mark.quick
def test_a_batch_has_crops_for_the_network_and_some_for_the_size(fields: list[Field]) -> None:
    batch = batches(fields)[0]
    assert batch.images.shape == batch.flows.shape == (3 + WIDE_CROPS, 2, 64, 64)
    assert batch.foreground.shape == (3 + WIDE_CROPS, 64, 64)
    assert (batch.magnifications > 0).all()


@pytest.mark.quick
def test_crops_without_objects_have_no_magnification() -> None:
    nothing = np.zeros((2, 8, 8), np.float32)
    batch = batch_of([Crop(nothing, nothing, nothing[0], 0.0), Crop(nothing, nothing, nothing[0], 1.5)])
    assert batch.magnifications.tolist() == [0.0, 1.5]


def test_processes_cut_what_one_alone_would_cut(fields: list[Field]) -> None:
    shared = batches(fields, shares=2, simulated=0.5)
    from_processes = list(islice(batches_from(shared, 5, pinned=False), 4))
    alone = batches(fields, shares=2, simulated=0.5)
    for step, batch in enumerate(from_processes, 5):
        assert same(batch, alone[step])


@pytest.mark.quick
def test_a_thread_gives_the_batches_in_order(fields: list[Field]) -> None:
    one = batches(fields)
    for step, batch in enumerate(islice(batches_from(one, 3, pinned=False), 3), 3):
        assert same(batch, one[step])
