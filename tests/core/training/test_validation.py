"""Validation: images of any size through networks of any depth, and what images without objects count."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cellspan.core.models.registry import find_model
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.normalise import network_input
from cellspan.core.training.data import Field
from cellspan.core.training.simulate import simulate_nuclei

torch = pytest.importorskip("torch")
from cellspan.core.models.network import FlowNetwork  # noqa: E402 - these need torch
from cellspan.core.training.learner import SIDE, look  # noqa: E402
from cellspan.core.training.validation import validate  # noqa: E402

pytestmark = pytest.mark.quick


def empty(height: int, width: int, source: str = "one") -> Field:
    """An image without objects."""
    planes = np.zeros((2, height, width), np.float32)
    return Field(source, planes, np.zeros((height, width), np.int32), planes, 0)


@pytest.mark.parametrize("levels", [2, 4, 6])
def test_images_of_any_size(levels: int, tmp_path: Path) -> None:
    network = FlowNetwork((2, *[2] * levels))
    network.output[2].weight.data.zero_()
    network.output[2].bias.data.fill_(-1)  # everything is background
    scores = validate(partial(look, network), SIDE, [empty(83, 110), empty(64, 17)], 20, tmp_path / "examples.png")
    assert scores == {"one": 1.0}
    assert (tmp_path / "examples.png").stat().st_size > 100


def test_an_image_without_objects_counts(tmp_path: Path) -> None:
    """What is found there is wrong, and an image in which rightly nothing is found is worth 1."""
    model = find_model("nuclei")
    network = FlowNetwork(model.description.widths)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in model.weights().items()})
    bright = network_input(Image(simulate_nuclei((96, 96), diameter=24).image[None]), Parameters())[0]
    fields = [empty(96, 96), replace(empty(96, 96), image=bright)]
    scores = [validate(partial(look, network), SIDE, [field], 24, tmp_path / "examples.png") for field in fields]
    assert scores == [{"one": 1.0}, {"one": 0.0}]
