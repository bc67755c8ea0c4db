"""Batches: what each step learns from depends on the step alone, whoever cuts it."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from cellspan.core.training.augment import Crop  # noqa: E402
from cellspan.core.training.batches import WIDE_CROPS, Batch, Batches, batch_of, batches_from  # noqa: E402
from cellspan.core.training.data import Field, field_at  # noqa: E402
from cellspan.core.training.recipe import Recipe  # noqa: E402
from cellspan.core.training.simulate import simulate_nuclei  # noqa: E402

PROCESSES = """
from itertools import islice
import numpy as np, torch
from cellspan.core.training.batches import Batches, batches_from
from cellspan.core.training.data import field_at
from cellspan.core.training.recipe import Recipe
from cellspan.core.training.simulate import simulate_nuclei
from cellspan.core.training.simulated import SimulatedPool

made = simulate_nuclei((96, 96), 20, seed=0)
fields = [field_at("nuclei", np.stack([made.image, 0 * made.image]), made.labels, 20.0)]
recipe = Recipe("test", batch=3, crop=64, simulated=0.5)
shared, alone = (Batches(recipe, fields, np.ones(1), SimulatedPool(0, 20.0, size=4, side=96), 2) for _ in range(2))
for step, batch in enumerate(islice(batches_from(shared, 5, pinned=False), 4), 5):
    expected = alone[step]
    names = expected.__dataclass_fields__
    print("same" if all(torch.equal(getattr(batch, name), getattr(expected, name)) for name in names) else step)
"""


@pytest.fixture(scope="module")
def fields() -> list[Field]:
    made = [simulate_nuclei((96, 96), 20, seed=seed) for seed in (0, 1)]
    return [field_at("nuclei", np.stack([one.image, 0 * one.image]), one.labels, 20.0) for one in made]


def batches(fields: list[Field]) -> Batches:
    return Batches(Recipe("test", batch=3, crop=64), fields, np.full(len(fields), 1 / len(fields)), None)


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


def test_processes_cut_what_one_alone_would_cut() -> None:
    """In a Python of its own, as `cellspan train` is: processes that start others are no place for other tests."""
    done = subprocess.run([sys.executable, "-c", PROCESSES], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["same"] * 4


@pytest.mark.quick
def test_a_thread_gives_the_batches_in_order(fields: list[Field]) -> None:
    one = batches(fields)
    for step, batch in enumerate(islice(batches_from(one, 3, pinned=False), 3), 3):
        assert same(batch, one[step])
