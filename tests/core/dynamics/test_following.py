"""Following flows: every pixel goes as far as it is told, and those without a direction nowhere."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.core.dynamics import following
from cellspan.core.dynamics.flows import labels_to_flows
from cellspan.core.dynamics.labelling import flows_to_labels
from cellspan.core.parameters import Parameters
from cellspan.core.training.simulate import simulate_nuclei

pytestmark = pytest.mark.quick


def logits(labels: np.ndarray) -> np.ndarray:
    return np.where(labels > 0, 6.0, -6.0).astype(np.float32)


def test_pixels_without_a_direction_belong_to_nothing(disks: np.ndarray) -> None:
    flows = labels_to_flows(disks)
    flows[0, disks == 3], flows[1, 30, 40] = np.nan, np.inf
    labels = flows_to_labels(flows, logits(disks), Parameters(fill_holes=False))
    assert labels.max() == 2
    assert labels[30, 40] == 0


def test_odd_numbers_of_steps_are_taken_in_full() -> None:
    flow = np.zeros((2, 3, 60), np.float32)
    flow[1] = 1
    for steps in (1, 2, 3, 8):
        arrivals = following.follow(flow, np.ones((3, 60), np.float32), 0.0, steps)
        assert np.array_equal(arrivals % 60, np.minimum(np.arange(60) + steps, 59)[None].repeat(3, 0))


def test_a_square_that_nothing_leaves_ends_the_way_where_it_would_end() -> None:
    true = simulate_nuclei((120, 130), 20, coverage=0.5, seed=2).labels
    rng = np.random.default_rng(2)
    flow = labels_to_flows(true) + rng.normal(0, 0.1, (2, *true.shape)).astype(np.float32)
    probability = (np.where(true > 0, 2, -4) + rng.normal(0, 1, true.shape)).astype(np.float32)
    flow *= 0.7  # so that there are many such squares
    ends = following.follow(flow, probability, 0.0, 400)
    still_there = following.follow(flow, probability, 0.0, 402)
    assert np.mean(ends == still_there) > 0.999
