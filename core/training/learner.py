"""The network and its optimiser: training steps and checkpoints.

Stringer et al. 2021, Methods, "Training": mean squared error of 5 times the flows plus the binary cross-entropy of the
cell probability. Here with AdamW and a cosine schedule over the budget, and with a third term: a linear map of the
style must predict the magnification, so that the style contains the information for the size model.
"""

from __future__ import annotations

from cellspan.core.training import openmp  # noqa: F401 - before torch

# isort: split
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import write_atomically
from cellspan.core.models.architecture import FLOW_SCALE
from cellspan.core.models.network import FlowNetwork
from cellspan.core.models.registry import Model
from cellspan.core.training.augment import Crop
from cellspan.core.training.recipe import Recipe

WARM_UP = 0.02  # fraction of the budget
SIZE_WEIGHT = 0.3  # weight of the squared error of log magnification in the loss
LONGEST_MEMORY = 0.999  # the averaged weights span about 1,000 steps


class Learner:
    """A network in training."""

    def __init__(self, recipe: Recipe) -> None:
        """Random first weights."""
        self.recipe = recipe
        # channels_last: 0.90 s instead of 1.04 s a step (8 crops of 160x160, AVX2).
        self.network = FlowNetwork(recipe.widths, recipe.mean_diameter).to(memory_format=torch.channels_last)
        self.magnification = torch.nn.Linear(recipe.widths[-1], 1)  # of the style; not used after training
        self.trained = [*self.network.parameters(), *self.magnification.parameters()]
        self.optimiser = torch.optim.AdamW(self.trained, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        # Averaged weights segment better than those of a single step, especially while the learning rate is high.
        self.average = AveragedModel(self.network, avg_fn=_averaged, use_buffers=True)

    def start_from(self, model: Model) -> None:
        """Take the weights of a model; raises CellspanError if it has other widths."""
        state = {name: torch.from_numpy(array.copy()) for name, array in model.weights().items()}
        try:
            self.network.load_state_dict(state)
        except RuntimeError:
            raise CellspanError(f"The model '{model.name}' does not have the widths {self.recipe.widths}.") from None
        for diameter in (self.network.diam_mean, self.network.diam_labels):
            diameter.data.fill_(self.recipe.mean_diameter)
        self.average.module.load_state_dict(self.network.state_dict())

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {name: part.state_dict() for name, part in self._parts()}

    def restore(self, saved: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        for name, part in self._parts():
            part.load_state_dict(saved[name])

    def _parts(self) -> list[tuple[str, Any]]:
        return [
            ("network", self.network),
            ("average", self.average),
            ("magnification", self.magnification),
            ("optimiser", self.optimiser),
        ]

    def step(self, crops: Sequence[Crop], fraction: float) -> float:
        """Train on a batch after this fraction of the budget; returns the loss.

        Crops after those of the batch only train the size.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.learning_rate * _schedule(fraction)
        count = self.recipe.batch
        self.optimiser.zero_grad(set_to_none=True)
        images = _stack(crops, "image").to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=_has_bfloat16()):
            features, styles = self.network.encode(images)
            outputs = self.network.decode([level[:count] for level in features], styles[:count])
        loss = flow_loss(outputs.float(), _stack(crops[:count], "flows"), _stack(crops[:count], "foreground"))
        (loss + SIZE_WEIGHT * self._size_loss(styles.float(), crops)).backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 5.0)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        return float(loss.detach())

    def _size_loss(self, styles: Tensor, crops: Sequence[Crop]) -> Tensor:
        """Mean squared error of the log magnification predicted by a linear map of the styles (N, S).

        Crops of images without objects do not count.
        """
        scaled = styles * styles.shape[1] ** 0.5  # from unit vectors to numbers around 1
        told = self.magnification(scaled)[:, 0]
        known = torch.tensor([crop.magnification > 0 for crop in crops])
        true = torch.tensor([math.log(crop.magnification or 1) for crop in crops])
        result: Tensor = ((told - true).square() * known).sum() / known.sum().clamp(min=1)
        return result


def flow_loss(outputs: Tensor, flows: Tensor, foreground: Tensor) -> Tensor:
    """Half the mean squared error of 5 x flows plus the cross-entropy of the probability.

    Shapes: outputs (N, 3, Y, X), flows (N, 2, Y, X), foreground (N, Y, X).
    """
    squared = functional.mse_loss(outputs[:, :2], FLOW_SCALE * flows) / 2
    return squared + functional.binary_cross_entropy_with_logits(outputs[:, 2], foreground)


def save_weights(network: torch.nn.Module, path: Path, half: bool = False) -> None:
    """Save the weights; `half`: matrices in 16 bits, half the size, labels differ by a few pixels in a thousand."""
    from safetensors.torch import save

    state = {
        name: (value.half() if half and value.ndim > 1 else value).contiguous()
        for name, value in network.state_dict().items()
    }
    data = save(state)  # safetensors' own file writer makes the file readable only by its owner
    write_atomically(path, lambda part: part.write_bytes(data))


def load_weights(network: torch.nn.Module, path: Path) -> None:
    """Read weights written by `save_weights`."""
    from safetensors.torch import load_file

    network.load_state_dict(load_file(path))


def _averaged(old: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
    """Update the running average of a tensor after `count` steps; shorter in short trainings."""
    memory = min(LONGEST_MEMORY, (1 + int(count)) / (10 + int(count)))
    return memory * old + (1 - memory) * new


def _schedule(fraction: float) -> float:
    """Learning rate relative to its peak: a short rise, then a cosine down to 0."""
    return min(1.0, fraction / WARM_UP + 0.01) * 0.5 * (1 + math.cos(math.pi * min(fraction, 1.0)))


def _has_bfloat16() -> bool:
    """Whether this processor multiplies 16-bit floats faster than 32-bit ones.

    Measured for a step of 8 crops of 160x160 with widths (2, 16, 32, 48, 64), AVX-512 with BF16, 2 cores: 0.54 s in 32
    bits, 0.37 s with the convolutions in 16; compiled 0.58 s and 0.33 s, but after 40 to 70 s of compiling.
    """
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # missing in older supported versions of torch
    return bool(supported and supported())


def _stack(crops: Sequence[Crop], part: str) -> Tensor:
    return torch.from_numpy(np.stack([getattr(crop, part) for crop in crops]))
