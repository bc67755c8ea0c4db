"""Flow targets: unit length, inwards, turning with the image."""

import numpy as np
import pytest

from cellspan.core.flows import labels_to_flows

pytestmark = pytest.mark.quick


def test_unit_length_inside_and_zero_outside(disks: np.ndarray) -> None:
    flows = labels_to_flows(disks)
    length = np.hypot(*flows)
    assert flows.dtype == np.float32
    assert (length[disks == 0] == 0).all()
    inside = length[disks > 0]
    assert ((np.abs(inside - 1) < 1e-5) | (inside == 0)).all()
    assert np.count_nonzero(inside == 0) <= disks.max()  # the heat source itself may have no direction


def test_flows_of_a_disk_point_to_its_centre() -> None:
    y, x = np.mgrid[:61, :61]
    labels = ((y - 30) ** 2 + (x - 30) ** 2 < 25**2).astype(np.int32)
    flows = labels_to_flows(labels)
    inwards = np.stack([30 - y, 30 - x]).astype(float)
    away = np.hypot(*inwards) > 3
    cosine = (flows * inwards).sum(0)[away & (labels > 0)] / np.hypot(*inwards)[away & (labels > 0)]
    assert cosine.min() > 0.95


def test_a_turned_image_has_turned_flows(disks: np.ndarray) -> None:
    flows = labels_to_flows(disks)
    turned = labels_to_flows(np.ascontiguousarray(disks[::-1]))
    # The pixel nearest the median may be another one of two equals, hence not exactly.
    agreement = (turned[:, ::-1] * np.array([-1, 1])[:, None, None] * flows).sum(0)[disks > 0]
    assert np.median(agreement) > 0.999


def test_a_long_filament_has_flows_to_its_ends() -> None:
    labels = np.zeros((9, 600), np.int32)
    labels[3:6, 5:595] = 1
    length = np.hypot(*labels_to_flows(labels))
    assert (length[labels > 0] > 0.99).sum() >= np.count_nonzero(labels) - 1


def test_no_objects() -> None:
    assert not labels_to_flows(np.zeros((4, 4), np.int32)).any()
    assert labels_to_flows(np.zeros((3, 4, 5), np.int32)).shape == (3, 3, 4, 5)
