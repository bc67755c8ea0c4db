"""Flows of volumes: unit length, inwards, turning with the volume, there and back; what an object differs by."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cellspan.core import Parameters, average_precision, flows_to_labels, labels_to_flows
from cellspan.core.dynamics.flows import flow_errors

pytestmark = pytest.mark.quick
Labels = NDArray[np.int32]


def ball(shape: tuple[int, int, int], centre: tuple[float, float, float], radius: float) -> NDArray[np.bool_]:
    z, y, x = np.ogrid[: shape[0], : shape[1], : shape[2]]
    return (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 < radius**2


@pytest.fixture
def touching() -> Labels:
    """Eight balls that touch each other."""
    labels = np.zeros((30, 32, 34), np.int32)
    number = 0
    for z in (8, 21):
        for y in (9, 22):
            for x in (9, 22):
                number += 1
                labels[ball(labels.shape, (z, y, x), 7) & (labels == 0)] = number
    return labels


def logits(labels: Labels) -> NDArray[np.float32]:
    return np.where(labels > 0, 5, -5).astype(np.float32)


def test_flows_have_unit_length_and_lead_to_the_centre(touching: Labels) -> None:
    flows = labels_to_flows(touching)
    assert flows.shape == (3, *touching.shape)
    length = np.sqrt((flows**2).sum(0))
    inside = touching > 0
    assert (length[~inside] == 0).all()
    assert np.isclose(length[inside], 1, atol=1e-5).mean() > 0.99
    z, y, x = np.nonzero(touching == 1)
    centre = np.array([z.mean(), y.mean(), x.mean()])
    outer = np.stack([z, y, x], 1)[np.linalg.norm(np.stack([z, y, x], 1) - centre, axis=1) > 4]
    towards = (centre - outer) / np.linalg.norm(centre - outer, axis=1, keepdims=True)
    cosine = (flows[:, outer[:, 0], outer[:, 1], outer[:, 2]].T * towards).sum(1)
    assert cosine.mean() > 0.97


def test_there_and_back(touching: Labels) -> None:
    found = flows_to_labels(labels_to_flows(touching), logits(touching), Parameters(max_size_fraction=1))
    assert average_precision(touching, found, [0.95])[0] == 1


def test_turning_the_axes_turns_the_flows(touching: Labels) -> None:
    turned = np.ascontiguousarray(touching.transpose(2, 0, 1))
    flows = labels_to_flows(touching)
    expected = flows[[2, 0, 1]].transpose(0, 3, 1, 2)
    cosine = (labels_to_flows(turned) * expected).sum(0)[turned > 0]
    assert (cosine > 0.9999).sum() >= cosine.size - 8, "only at its very centre an object's flow has no direction"


def test_an_object_against_its_flows_is_dropped(touching: Labels) -> None:
    flows = labels_to_flows(touching)
    flows[:, touching == 3] *= -1
    errors = flow_errors(touching, flows)
    assert errors[2] == pytest.approx(4, abs=0.05)
    assert np.delete(errors, 2).max() < 1e-5
    short = flow_errors(touching, labels_to_flows(touching) * 0.3)
    assert short.max() < 1e-5, "only directions count"
