"""The stages after the network with tensors that stay on the device where they were made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from cellspan.core.dynamics.labelling import Objects
from cellspan.core.dynamics.steps import NOWHERE
from cellspan.core.dynamics.tensors import flows_to_labels_torch
from cellspan.core.inference.torch_tiles import resize_torch
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Floats, Mask


@dataclass(frozen=True)
class TensorStages:
    """As `core.planes.stages.ArrayStages`."""

    device: str

    def place(self, outputs: Floats) -> torch.Tensor:
        """An array on the device."""
        return torch.from_numpy(np.ascontiguousarray(outputs)).to(self.device)

    def fetch(self, outputs: torch.Tensor) -> Floats:
        """A tensor as an array."""
        return np.asarray(outputs.cpu().numpy())

    def resize(self, outputs: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
        """Outputs (3, y, x) at another height and width."""
        return resize_torch(outputs, shape)

    def restrict(self, outputs: torch.Tensor, mask: Mask) -> torch.Tensor:
        """A copy of outputs (3, y, x) with which no object lies outside the mask (y, x)."""
        inside = torch.from_numpy(np.ascontiguousarray(mask)).to(outputs.device)
        return torch.cat((outputs[:2], torch.where(inside, outputs[2], NOWHERE)[None]))

    def objects(self, outputs: torch.Tensor, parameters: Parameters, diameter: float) -> Objects:
        """The dynamics: outputs (3, Y, X) to labels (Y, X) on the CPU."""
        return Objects(flows_to_labels_torch(outputs[:2], outputs[2], parameters, diameter), None)
