"""Dynamics on random fields: what turns, mirrors, crops or renumbers the input does the same to the labels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellspan.core.dynamics.flows import flow_errors, labels_to_flows
from cellspan.core.dynamics.labelling import flows_to_labels
from cellspan.core.objects.labels import areas, drop_on_edges, in_reading_order
from cellspan.core.objects.metrics import best_overlaps
from cellspan.core.parameters import Parameters
from cellspan.core.training.simulate import simulate_nuclei

pytestmark = pytest.mark.quick
few = settings(max_examples=15, deadline=None)
Fields = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def fields(draw: st.DrawFn) -> Fields:
    """Labels of round objects that touch, with their flows and logits."""
    shape = draw(st.integers(40, 120)), draw(st.integers(40, 120))
    diameter = draw(st.floats(10, 30))
    labels = simulate_nuclei(shape, diameter, coverage=draw(st.floats(0.1, 0.5)), seed=draw(st.integers(0, 99))).labels
    return labels, labels_to_flows(labels), logits(labels)


def logits(labels: np.ndarray) -> np.ndarray:
    return np.where(labels > 0, 5.0, -5.0).astype(np.float32)


def assert_same_objects(expected: np.ndarray, found: np.ndarray) -> None:
    assert found.max(initial=0) == expected.max(initial=0)
    assert (best_overlaps(expected, found) >= 0.9).all()


def transposed(flows: np.ndarray) -> np.ndarray:
    return flows[::-1].swapaxes(1, 2)


def mirrored(flows: np.ndarray) -> np.ndarray:
    return flows[:, ::-1] * np.array([-1, 1], np.float32)[:, None, None]


def quarter_turned(flows: np.ndarray) -> np.ndarray:
    return mirrored(transposed(flows))  # as np.rot90


Turn = tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]
TURNS: dict[str, Turn] = {
    "mirrored": (mirrored, lambda plane: plane[::-1]),
    "transposed": (transposed, np.transpose),
    "quarter turn": (quarter_turned, np.rot90),
}


@few
@given(fields(), st.sampled_from(sorted(TURNS)))
def test_turned_flows_give_turned_labels(field: Fields, name: str) -> None:
    _, flows, probability = field
    turn_flows, turn = TURNS[name]
    turned = flows_to_labels(turn_flows(flows), turn(probability))
    assert_same_objects(turn(flows_to_labels(flows, probability)), turned)


@few
@given(fields(), st.integers(0, 20), st.integers(0, 20))
def test_cropped_flows_give_the_objects_that_lie_in_the_crop(field: Fields, top: int, left: int) -> None:
    labels, flows, probability = field
    inside = drop_on_edges(np.ascontiguousarray(labels[top:-3, left:-3]))
    cropped = flows_to_labels(flows[:, top:-3, left:-3], logits(inside), Parameters(max_size_fraction=1))
    whole = flows_to_labels(flows, probability, Parameters(max_size_fraction=1))[top:-3, left:-3]
    assert_same_objects(in_reading_order(np.where(inside > 0, whole, 0)), cropped)


@few
@given(fields(), st.integers(0, 99))
def test_permuting_label_numbers_changes_nothing(field: Fields, seed: int) -> None:
    labels, flows, _ = field
    order = np.random.default_rng(seed).permutation(labels.max(initial=0)).astype(np.int32) + 1
    permuted = np.concatenate([[0], order]).astype(np.int32)[labels]
    assert np.array_equal(labels_to_flows(permuted), flows)
    assert np.array_equal(in_reading_order(permuted), in_reading_order(labels))
    noisy = flows + np.float32(0.1)
    assert np.array_equal(flow_errors(permuted, noisy)[order - 1], flow_errors(labels, noisy))


@few
@given(fields())
def test_flows_are_unit_inside_and_zero_outside(field: Fields) -> None:
    labels, flows, _ = field
    length = np.hypot(*flows)
    assert not length[labels == 0].any()
    still = (labels > 0) & (length == 0)
    assert np.abs(length[(labels > 0) & ~still] - 1).max(initial=0) < 1e-5
    assert areas(np.where(still, labels, 0)).max(initial=0) <= 1  # the heat source itself may have no direction
