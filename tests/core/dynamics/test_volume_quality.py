"""Flow errors of finished volumes: in 3D on cubic voxels, of joined slices as the mean over them."""

import numpy as np
import pytest

from cellspan.core.dynamics.flows import flow_errors, labels_to_flows
from cellspan.core.dynamics.volume_quality import volume_flow_errors

pytestmark = pytest.mark.quick


def test_in_3d_slices_are_repeated_until_voxels_are_cubic() -> None:
    cubic = np.zeros((24, 20, 44), np.int32)
    z, y, x = np.ogrid[:24, :20, :44]
    for k, centre in enumerate((11, 32), 1):
        cubic[(z - 11.5) ** 2 + (y - 9.5) ** 2 + (x - centre) ** 2 < 64] = k
    thick = np.ascontiguousarray(cubic[1::3])  # each slice stands for three
    repeated = np.repeat(thick, 3, axis=0)
    flows = labels_to_flows(repeated)
    assert volume_flow_errors(thick, np.ascontiguousarray(flows[:, 1::3]), 3.0).max() < 0.2
    np.testing.assert_array_equal(volume_flow_errors(repeated, flows, 1.0), flow_errors(repeated, flows))


def test_of_slices_the_mean_over_pixels_counts() -> None:
    labels = np.zeros((2, 20, 30), np.int32)
    labels[0, 2:10, 2:10] = 3  # 64 pixels
    labels[1, 2:10, 2:6] = 3  # 32 pixels
    labels[1, 12:18, 20:28] = 1
    flows = np.stack([labels_to_flows((plane > 0).astype(np.int32) * plane) for plane in labels], 1)
    flows[:, 1, labels[1] == 3] *= -1  # an error of 4 in a third of the object
    errors = volume_flow_errors(labels, flows, 5.0)
    assert errors[[0, 1]] == pytest.approx([0, 0], abs=1e-5), "2 is absent"
    assert errors[2] == pytest.approx(4 / 3, abs=0.05)


def test_nothing_has_no_errors() -> None:
    assert volume_flow_errors(np.zeros((2, 5, 5), np.int32), np.zeros((2, 2, 5, 5), np.float32), 1.0).shape == (0,)
