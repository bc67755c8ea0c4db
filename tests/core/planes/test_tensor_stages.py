"""The stages after the network with tensors: what arrays give."""

import numpy as np
import pytest

pytest.importorskip("torch")
from cellspan.core.dynamics.flows import labels_to_flows
from cellspan.core.parameters import Parameters
from cellspan.core.planes.stages import ArrayStages
from cellspan.core.planes.tensor_stages import TensorStages

pytestmark = pytest.mark.quick


def test_they_give_what_arrays_give(disks: np.ndarray) -> None:
    outputs = np.concatenate([labels_to_flows(disks), np.where(disks > 0, 5, -5).astype(np.float32)[None]])
    arrays, tensors = ArrayStages(), TensorStages("cpu")
    placed = tensors.place(outputs)
    np.testing.assert_array_equal(tensors.fetch(placed), outputs)
    larger = tensors.fetch(tensors.resize(placed, (120, 150)))
    np.testing.assert_allclose(larger, arrays.resize(outputs, (120, 150)), atol=1e-4)
    found = tensors.objects(placed, Parameters(), 30.0).labels
    np.testing.assert_array_equal(found, arrays.objects(outputs, Parameters(), 30.0).labels)
