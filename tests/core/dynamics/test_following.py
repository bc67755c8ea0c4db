"""Dynamics: exact flows give their labels back; thresholds and clean-up do what they say."""

from pathlib import Path

import numpy as np
import pytest

from cellspan.core.dynamics.flows import flow_errors, labels_to_flows
from cellspan.core.dynamics.labelling import flows_to_labels
from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import Labels
from cellspan.core.objects.metrics import best_overlaps
from cellspan.core.parameters import Parameters
from cellspan.core.training.simulate import simulate_nuclei


def logits(labels: np.ndarray) -> np.ndarray:
    return np.where(labels > 0, 6.0, -6.0).astype(np.float32)


@pytest.mark.quick
def test_round_trip_of_simulated_nuclei() -> None:
    true = simulate_nuclei((256, 256), coverage=0.4, seed=3).labels
    iou = best_overlaps(true, flows_to_labels(labels_to_flows(true), logits(true)))
    big = np.bincount(true.ravel())[1:] >= 50
    assert iou[big].min() >= 0.95


@pytest.mark.data
def test_round_trip_of_ten_real_images(nuclei_images: list[Path], nuclei_labels: list[Labels]) -> None:
    assert len(nuclei_images) == 10
    for image, true in zip(nuclei_images, nuclei_labels, strict=True):
        iou = best_overlaps(true, flows_to_labels(labels_to_flows(true), logits(true)))
        big = np.bincount(true.ravel())[1:] >= 50
        assert iou[big].min() >= 0.95, image.name


@pytest.mark.quick
def test_labels_are_consecutive_int32(disks: np.ndarray) -> None:
    labels = flows_to_labels(labels_to_flows(disks), logits(disks))
    assert labels.dtype == np.int32
    assert np.array_equal(np.unique(labels), [0, 1, 2, 3])


@pytest.mark.quick
def test_thresholds_drop_objects(disks: np.ndarray) -> None:
    flows, probability = labels_to_flows(disks), logits(disks)
    assert flows_to_labels(flows, probability, Parameters(cellprob_threshold=7)).max() == 0
    assert flows_to_labels(flows, probability, Parameters(min_size=200)).max() == 2
    assert flows_to_labels(flows, probability, Parameters(max_size_fraction=0.05)).max() == 1
    touching = np.roll(disks, -20, axis=1)
    kept = flows_to_labels(labels_to_flows(touching), logits(touching), Parameters(exclude_on_edges=True))
    assert kept.max() == 2


@pytest.mark.quick
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


@pytest.mark.quick
def test_holes_are_filled_only_if_asked(disks: np.ndarray) -> None:
    probability = logits(disks)
    probability[30, 30] = -6  # where all pixels of the first disk arrive
    flows = labels_to_flows(disks)
    assert flows_to_labels(flows, probability)[30, 30] > 0
    open_labels = flows_to_labels(flows, probability, Parameters(fill_holes=False))
    assert open_labels[30, 30] == 0
    assert open_labels[29, 30] > 0


@pytest.mark.quick
def test_pixels_without_a_direction_belong_to_nothing(disks: np.ndarray) -> None:
    flows = labels_to_flows(disks)
    flows[0, disks == 3], flows[1, 30, 40] = np.nan, np.inf
    labels = flows_to_labels(flows, logits(disks), Parameters(fill_holes=False))
    assert labels.max() == 2
    assert labels[30, 40] == 0


@pytest.mark.quick
def test_empty_and_wrong_shapes() -> None:
    nothing = flows_to_labels(np.zeros((2, 5, 7)), np.full((5, 7), -1.0))
    assert nothing.shape == (5, 7)
    assert nothing.max() == 0
    with pytest.raises(CellspanError, match=r"\(2, Y, X\)"):
        flows_to_labels(np.zeros((3, 5, 5)), np.zeros((5, 5)))
