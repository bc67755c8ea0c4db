"""The stages after the network with tensors that stay on the device where they were made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from cellspan.core.dynamics_torch import flows_to_labels_torch
from cellspan.core.images import Floats
from cellspan.core.inference.torch_tiles import resize_torch
from cellspan.core.labels import Labels
from cellspan.core.parameters import Parameters


@dataclass(frozen=True)
class TensorStages:
    """As `core.planes.ArrayStages`."""

    device: str
    resize: Callable[[Any, tuple[int, int]], Any] = field(default=resize_torch)
    flows_to_labels: Callable[[Any, Any, Parameters, float], Labels] = field(default=flows_to_labels_torch)

    def place(self, outputs: Floats) -> torch.Tensor:
        """An array on the device."""
        return torch.from_numpy(np.ascontiguousarray(outputs)).to(self.device)

    def fetch(self, outputs: torch.Tensor) -> Floats:
        """A tensor as an array."""
        return np.asarray(outputs.cpu().numpy())
