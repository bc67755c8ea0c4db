"""Cellpose 4's network on a graphics card (or any torch device)."""

from __future__ import annotations

import torch
from torch import Tensor

from cellspan.core.inference.full_precision import full_precision
from cellspan.core.inference.tile_rules import TileRules
from cellspan.core.machine.device_memory import explains_full_memory
from cellspan.core.models.registry import Model
from cellspan.core.models.transformer_network import TransformerNetwork
from cellspan.core.pictures.images import Floats


class TorchTransformer:
    """The torch network, in bfloat16 on CUDA cards that have it, as Cellpose 4 itself, else in float32."""

    tensors = True  # the Segmenter leaves everything on the device that can stay there

    @explains_full_memory
    def __init__(self, model: Model, device: str) -> None:
        """Load the model's weights onto the device; raises DeviceMemoryError if its memory is full."""
        sizes = model.description.transformer
        assert sizes is not None
        self.device = device
        self.batch = 8
        self.rules = TileRules.of(model.description)
        self._type = number_type(device)
        with torch.device("meta"):  # without weights, which would be replaced
            network = TransformerNetwork(sizes)
        state = {name: torch.from_numpy(array).to(device, self._type) for name, array in model.weights().items()}
        network.load_state_dict(state, assign=True)
        self._network = network.eval().requires_grad_(False)

    def encode(self, tiles: Floats, beside: int = 0) -> tuple[Tensor, Floats]:
        """See Predictor; the features are the outputs and stay on the device, and there are no deepest ones."""
        outputs, deepest = self.encode_tensors(torch.from_numpy(tiles).to(self.device))
        return outputs, deepest.cpu().numpy()

    @explains_full_memory
    def decode(self, features: Tensor, style: Floats, beside: int = 0) -> Floats:
        """See Predictor."""
        return features.cpu().numpy()

    @explains_full_memory
    def encode_tensors(self, tiles: Tensor) -> tuple[Tensor, Tensor]:
        """As `encode`, with tensors that are on the device and stay there."""
        with torch.inference_mode(), full_precision():
            outputs: Tensor = self._network(tiles.to(self._type)).float()
        return outputs, outputs[:, :0]

    def decode_tensors(self, features: Tensor, style: Tensor) -> Tensor:
        """As `decode`, with tensors that are on the device and stay there."""
        return features


def number_type(device: str) -> torch.dtype:
    """What the network computes in on a device."""
    has_it = device.startswith("cuda") and torch.cuda.is_bf16_supported()
    return torch.bfloat16 if has_it else torch.float32
