"""Flow targets: unit length, inwards, turning with the image."""

import numpy as np
import pytest

from cellspan.core.dynamics.flows import labels_to_flows

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


def spiral(side: int) -> np.ndarray:
    """A filament of one pixel that fills a square in right-angled turns, two pixels apart: long in a small box."""
    labels = np.zeros((side, side), np.int32)
    y, x, (dy, dx) = 0, 0, (0, 1)
    labels[0, 0] = 1
    turned = False
    while True:
        ny, nx = y + dy, x + dx
        ahead = ny + dy, nx + dx
        beyond = all(0 <= k < side for k in ahead) and labels[ahead]
        if 0 <= ny < side and 0 <= nx < side and not labels[ny, nx] and not beyond:
            y, x, turned = ny, nx, False
            labels[y, x] = 1
        elif turned:
            return labels
        else:
            (dy, dx), turned = (dx, -dy), True


def test_the_heat_of_a_curled_filament_is_that_of_64_bits() -> None:
    """Most of it is too cold for 32 bits, in which the heat of ordinary objects is kept."""
    labels = spiral(60)
    assert labels.sum() > 1500
    inside = np.pad(labels, 1).astype(float)
    y, x = np.nonzero(inside)
    nearest = np.argmin((y - y.mean()) ** 2 + (x - x.mean()) ** 2)
    heat = np.zeros_like(inside)
    for _ in range(2 * (60 + 60)):
        heat[y[nearest], x[nearest]] += 1
        rows = heat[:, :-2] + heat[:, 1:-1] + heat[:, 2:]
        heat[1:-1, 1:-1] = inside[1:-1, 1:-1] * (rows[:-2] + rows[1:-1] + rows[2:]) / 9
    rise = np.stack([heat[2:, 1:-1] - heat[:-2, 1:-1], heat[1:-1, 2:] - heat[1:-1, :-2]])
    length = np.hypot(*rise)
    reached = (length > 1e-150) & (labels > 0)  # colder, and their squares are nothing in 64 bits either
    assert np.count_nonzero(reached & (length < 1e-30)) > 50, "the test is of cold pixels"
    expected = np.where(reached, rise / np.where(reached, length, 1), 0)
    assert labels_to_flows(labels)[:, reached] == pytest.approx(expected[:, reached], abs=1e-4)


def test_an_object_has_the_same_flows_alone_and_among_others(disks: np.ndarray) -> None:
    together = labels_to_flows(disks)
    for label in range(1, int(disks.max()) + 1):
        alone = labels_to_flows((disks == label).astype(np.int32))
        assert np.array_equal(alone, together * (disks == label))
