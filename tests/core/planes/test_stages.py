"""The stages after the network with arrays, and which stages a predictor gets."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cellspan.core.dynamics.flows import labels_to_flows
from cellspan.core.dynamics.labelling import flows_to_objects
from cellspan.core.parameters import Parameters
from cellspan.core.planes.stages import ArrayStages, stages_of

pytestmark = pytest.mark.quick


def test_arrays_stay_what_they_are_and_objects_are_those_of_the_dynamics(disks: np.ndarray) -> None:
    stages, logits = ArrayStages(), np.where(disks > 0, 5, -5).astype(np.float32)
    outputs = np.concatenate([labels_to_flows(disks), logits[None]])
    assert stages.fetch(stages.place(outputs)) is outputs
    assert stages.resize(outputs, (40, 50)).shape == (3, 40, 50)
    found, expected = stages.objects(outputs, Parameters(), 30.0), flows_to_objects(outputs[:2], logits, None, 30.0)
    assert found.labels.max() == 3
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.errors, expected.errors)


def test_predictors_with_tensors_keep_them_on_their_device() -> None:
    on_cpu: Any = SimpleNamespace(tensors=False, device="cpu")
    assert isinstance(stages_of(on_cpu), ArrayStages)
    pytest.importorskip("torch")
    on_card: Any = SimpleNamespace(tensors=True, device="cuda:1")
    assert stages_of(on_card).device == "cuda:1"
