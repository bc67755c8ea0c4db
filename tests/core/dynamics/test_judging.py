"""Judging objects: thresholds, holes, sizes and edges do what they say, in planes and volumes."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.core.dynamics.flows import flow_errors, labels_to_flows
from cellspan.core.dynamics.judging import drop_unwanted
from cellspan.core.dynamics.labelling import flows_to_labels
from cellspan.core.parameters import Parameters

pytestmark = pytest.mark.quick


def logits(labels: np.ndarray) -> np.ndarray:
    return np.where(labels > 0, 6.0, -6.0).astype(np.float32)


def test_thresholds_drop_objects(disks: np.ndarray) -> None:
    flows, probability = labels_to_flows(disks), logits(disks)
    assert flows_to_labels(flows, probability, Parameters(cellprob_threshold=7)).max() == 0
    assert flows_to_labels(flows, probability, Parameters(min_size=200)).max() == 2
    assert flows_to_labels(flows, probability, Parameters(max_size_fraction=0.05)).max() == 1
    touching = np.roll(disks, -20, axis=1)
    kept = flows_to_labels(labels_to_flows(touching), logits(touching), Parameters(exclude_on_edges=True))
    assert kept.max() == 2


def test_flow_threshold_drops_objects_with_wrong_flows(disks: np.ndarray) -> None:
    turned = labels_to_flows(disks)
    angle = np.pi / 3  # still a spiral to the centre, but with an error of 2 - 2 cos(60 degrees) = 1
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    turned[:, disks == 1] = turn @ turned[:, disks == 1]
    errors = flow_errors(disks, turned)
    assert errors[0] == pytest.approx(1, abs=0.02)
    assert errors[1:] == pytest.approx(0)
    kept = flows_to_labels(turned, logits(disks), Parameters(flow_threshold=0.4))
    assert not kept[disks == 1].any()
    assert kept.max() == 2
    assert flows_to_labels(turned, logits(disks), Parameters(flow_threshold=0))[disks == 1].any()


def test_holes_are_filled_only_if_asked(disks: np.ndarray) -> None:
    probability = logits(disks)
    probability[30, 30] = -6  # where all pixels of the first disk arrive
    flows = labels_to_flows(disks)
    assert flows_to_labels(flows, probability)[30, 30] > 0
    open_labels = flows_to_labels(flows, probability, Parameters(fill_holes=False))
    assert open_labels[30, 30] == 0
    assert open_labels[29, 30] > 0


def ball(shape: tuple[int, int, int], centre: tuple[float, float, float], radius: float) -> np.ndarray:
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < radius**2


@pytest.fixture
def touching() -> np.ndarray:
    """Eight balls that touch each other."""
    labels = np.zeros((30, 32, 34), np.int32)
    number = 0
    for z in (8, 21):
        for y in (9, 22):
            for x in (9, 22):
                number += 1
                labels[ball(labels.shape, (z, y, x), 7) & (labels == 0)] = number
    return labels


def test_edges_and_sizes(touching: np.ndarray) -> None:
    touching[0, 0, 0] = 9
    touching[-1, 5:8, 5:8] = 10
    inner = drop_unwanted(touching, Parameters(min_size=0, exclude_on_edges=True))
    assert inner.max() == 8
    assert drop_unwanted(touching, Parameters(min_size=5)).max() == 9
