"""The stages after the network: resizing its outputs and following the flows, on the CPU or where the outputs are."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from cellspan.core.dynamics.labelling import Objects, flows_to_objects
from cellspan.core.dynamics.steps import NOWHERE
from cellspan.core.inference.predictor import Predictor
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Floats, Mask
from cellspan.core.pictures.resizing import resize


class Stages(Protocol):
    """From the network's outputs to labels, with arrays on the CPU or with tensors on the device that made them."""

    def place(self, outputs: Floats) -> Any:
        """An array becomes what the others take."""
        ...

    def fetch(self, outputs: Any) -> Floats:
        """And back."""
        ...

    def resize(self, outputs: Any, shape: tuple[int, int]) -> Any:
        """Outputs (3, y, x) at another height and width."""
        ...

    def restrict(self, outputs: Any, mask: Mask) -> Any:
        """A copy of outputs (3, y, x) with which no object lies outside the mask (y, x)."""
        ...

    def objects(self, outputs: Any, parameters: Parameters, diameter: float) -> Objects:
        """The dynamics: outputs (3, Y, X) to labels (Y, X), and their flow errors if they were computed."""
        ...


class ArrayStages:
    """The stages after the network with arrays, on the CPU."""

    def place(self, outputs: Floats) -> Floats:
        """As they are."""
        return outputs

    def fetch(self, outputs: Floats) -> Floats:
        """As they are."""
        return outputs

    def resize(self, outputs: Floats, shape: tuple[int, int]) -> Floats:
        """Outputs (3, y, x) at another height and width."""
        return resize(outputs, shape)

    def restrict(self, outputs: Floats, mask: Mask) -> Floats:
        """A copy of outputs (3, y, x) with which no object lies outside the mask (y, x)."""
        return np.stack([*outputs[:2], np.where(mask, outputs[2], np.float32(NOWHERE))])

    def objects(self, outputs: Floats, parameters: Parameters, diameter: float) -> Objects:
        """The dynamics: outputs (3, Y, X) to labels (Y, X) and their flow errors."""
        return flows_to_objects(outputs[:2], outputs[2], parameters, diameter)


def stages_of(predictor: Predictor) -> Stages:
    """The stages after the network, where a predictor's outputs are."""
    if not predictor.tensors:
        return ArrayStages()
    from cellspan.core.planes.tensor_stages import TensorStages  # only here, because the base install has no torch

    return TensorStages(predictor.device)
