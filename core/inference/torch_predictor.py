"""The network on a graphics card (or any torch device)."""

from __future__ import annotations

import torch

from cellspan.core.images import Floats
from cellspan.core.models.registry import Model
from cellspan.core.network import FlowNetwork


class TorchPredictor:
    """The torch network in float32."""

    batch = 16

    def __init__(self, model: Model, device: str) -> None:
        """Load the model's weights onto the device."""
        self.device = device
        # By default convolutions on newer cards use TF32, with 10 bits of mantissa.
        torch.backends.cudnn.allow_tf32 = False
        network = FlowNetwork(model.description.widths)
        network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in model.weights().items()})
        self._network = network.eval().to(device).to(memory_format=torch.channels_last)

    def predict(self, tiles: Floats) -> tuple[Floats, Floats]:
        """See Predictor."""
        with torch.inference_mode():
            outputs, styles = self._network(torch.from_numpy(tiles).to(self.device))
        return outputs.cpu().numpy(), styles.cpu().numpy()
