"""The network on a graphics card (or any torch device)."""

from __future__ import annotations

import torch
from torch import Tensor

from cellspan.core.inference.full_precision import full_precision
from cellspan.core.inference.tile_rules import TileRules
from cellspan.core.machine.device_memory import explains_full_memory
from cellspan.core.models.network import FlowNetwork
from cellspan.core.models.registry import Model
from cellspan.core.pictures.images import Floats

Features = list[Tensor]  # of each level of the network, (N, C, Y, X)


class TorchPredictor:
    """The torch network in float32."""

    tensors = True  # the Segmenter leaves everything on the device that can stay there

    @explains_full_memory
    def __init__(self, model: Model, device: str) -> None:
        """Load the model's weights onto the device; raises DeviceMemoryError if its memory is full."""
        self.device = device
        self.batch = 16
        self.rules = TileRules.of(model.description)
        network = FlowNetwork(model.description.widths, outputs=self.rules.outputs)
        network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in model.weights().items()})
        self._network = network.eval().to(device).to(memory_format=torch.channels_last)

    @explains_full_memory
    def encode(self, tiles: Floats, beside: int = 0) -> tuple[Features, Floats]:
        """See Predictor; the features stay on the device."""
        features, deepest = self.encode_tensors(torch.from_numpy(tiles).to(self.device))
        return features, deepest.cpu().numpy()

    @explains_full_memory
    def decode(self, features: Features, style: Floats, beside: int = 0) -> Floats:
        """See Predictor."""
        return self.decode_tensors(features, torch.from_numpy(style).to(self.device)).cpu().numpy()

    def encode_tensors(self, tiles: Tensor) -> tuple[Features, Tensor]:
        """As `encode`, with tensors that are on the device and stay there."""
        with torch.inference_mode(), full_precision():
            features: Features = self._network.downsample(tiles)
        return features, features[-1]

    def decode_tensors(self, features: Features, style: Tensor) -> Tensor:
        """As `decode`, with tensors that are on the device and stay there."""
        with torch.inference_mode(), full_precision():
            styles = style.expand(len(features[0]), -1)
            outputs: Tensor = self._network.output(self._network.upsample(styles, features))
        return outputs
