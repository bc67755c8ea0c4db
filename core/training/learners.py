"""What learns: one protocol, and the learner of each kind of network."""

from __future__ import annotations

from cellspan.core.training import openmp  # noqa: F401 - before torch

# isort: split
from typing import Any, Protocol

import torch
from torch import Tensor

from cellspan.core.models.registry import Model
from cellspan.core.pictures.images import Floats
from cellspan.core.training.batches import Batch
from cellspan.core.training.learner import Learner
from cellspan.core.training.recipe import Recipe
from cellspan.core.training.transformer_learner import TransformerLearner


class Learns(Protocol):
    """A network in training."""

    device: str
    network: Any  # a torch.nn.Module

    @property
    def kept(self) -> torch.nn.Module:
        """The network whose weights are validated and saved."""
        ...

    @property
    def side(self) -> int:
        """Pixels along the side of the largest image that `look` takes."""
        ...

    def start_from(self, model: Model) -> None:
        """Take the weights of a model; raises CellspanError if it is another network."""
        ...

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        ...

    def restore(self, saved: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        ...

    def step(self, batch: Batch, fraction: float) -> Tensor:
        """Train on a batch after this fraction of the budget; returns the loss, still on the device."""
        ...

    def look(self, image: Floats) -> Floats:
        """The outputs (3, Y, X) of the weights that are kept for a normalised image (C, Y, X)."""
        ...


def make_learner(recipe: Recipe, device: str) -> Learns:
    """A learner for the kind of network of this recipe, with random weights."""
    return TransformerLearner(recipe, device) if recipe.transformer is not None else Learner(recipe, device)
