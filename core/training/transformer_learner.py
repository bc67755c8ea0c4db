"""Cellpose 4's network and its optimiser in training, as Cellpose fine-tunes it.

Pachitariu, Rariden & Stringer 2025 (Cellpose-SAM, doi 10.1101/2025.04.28.651001): the loss of Cellpose in 32-bit
floats, AdamW, and blocks that are left out at random, the last ones most often.
"""

from __future__ import annotations

from cellspan.core.training import openmp  # noqa: F401 - before torch

# isort: split
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cellspan.core.errors import CellspanError
from cellspan.core.models.kinds import KINDS
from cellspan.core.models.registry import Model
from cellspan.core.models.transformer_network import TransformerNetwork
from cellspan.core.pictures.images import Floats
from cellspan.core.training.batches import Batch
from cellspan.core.training.learner import flow_loss, schedule
from cellspan.core.training.recipe import Recipe

MARGIN = KINDS["flow-sam"].margin


class TransformerLearner:
    """A network of Cellpose 4 in training; no average of its weights is kept, because they change little."""

    def __init__(self, recipe: Recipe, device: str = "cpu") -> None:
        """Random first weights, on a device."""
        self.recipe, self.device = recipe, device
        sizes = recipe.sizes
        assert sizes is not None, "the recipe of another network"
        self.sizes = sizes
        self.network = TransformerNetwork(self.sizes, recipe.mean_diameter).to(device)
        self.network.encoder.patch_embed.requires_grad_(False)  # Cellpose 4 does not train what reads the pixels
        self.trained = [tensor for tensor in self.network.parameters() if tensor.requires_grad]
        self.optimiser = torch.optim.AdamW(
            self.trained, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=device != "cpu"
        )

    @property
    def kept(self) -> TransformerNetwork:
        """The network whose weights are validated and saved."""
        return self.network

    @property
    def side(self) -> int:
        """Pixels along the side of the largest image that `look` takes: a tile within its margins."""
        return self.sizes.tile - 2 * MARGIN

    def start_from(self, model: Model) -> None:
        """Take the weights of a model; raises CellspanError if it has other sizes."""
        state = {name: torch.from_numpy(array.copy()) for name, array in model.weights().items()}
        try:
            self.network.load_state_dict(state)
        except RuntimeError:
            raise CellspanError(f"The model '{model.name}' is not {self.sizes}.") from None

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}

    def restore(self, saved: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self.network.load_state_dict(saved["network"])
        self.optimiser.load_state_dict(saved["optimiser"])

    def step(self, batch: Batch, fraction: float) -> Tensor:
        """Train on a batch after this fraction of the budget; returns the loss, still on the device."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.learning_rate * schedule(fraction)
        batch = batch.to(self.device)
        loss = flow_loss(self.network(batch.images), batch.flows, batch.foreground, probability_weight=1.0)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for tensor in self.trained:
            if tensor.grad is None:  # of a block that was left out: AdamW goes on with it all the same, as in Cellpose
                tensor.grad = torch.zeros_like(tensor)
        self.optimiser.step()
        return loss.detach()

    def look(self, image: Floats) -> Floats:
        """The outputs (3, Y, X) for an image (C, Y, X) of at most `side` pixels."""
        height, width = image.shape[1:]
        tile = np.zeros((1, self.sizes.channels, self.sizes.tile, self.sizes.tile), np.float32)
        inside = (slice(MARGIN, MARGIN + height), slice(MARGIN, MARGIN + width))
        tile[0, :, inside[0], inside[1]] = image
        with torch.inference_mode():
            outputs = self.network.eval()(torch.from_numpy(tile).to(self.device))
        found: Floats = outputs[0][:, inside[0], inside[1]].cpu().numpy()
        return found
