"""The network and its optimiser: training steps and checkpoints.

Stringer et al. 2021, Methods, "Training": mean squared error of 5 times the flows plus the binary cross-entropy of the
cell probability. Here the latter weighs more, with AdamW and a cosine schedule over the budget, and with a third term:
a linear map of the style must predict the magnification, so that the style contains the information for the size model.
"""

from __future__ import annotations

from cellspan.core.training import openmp  # noqa: F401 - before torch

# isort: split
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import write_atomically
from cellspan.core.models.architecture import FLOW_SCALE
from cellspan.core.models.kinds import MARGIN
from cellspan.core.models.network import FlowNetwork
from cellspan.core.models.registry import Model
from cellspan.core.pictures.images import Floats
from cellspan.core.training.batches import Batch
from cellspan.core.training.recipe import Recipe

SIDE = 320  # pixels; larger images are cut for validation
WARM_UP = 0.02  # fraction of the budget
SIZE_WEIGHT = 0.3  # weight of the squared error of log magnification in the loss
# The paper has 1. With the true foreground in place of the predicted one, AP@0.75 rises from 0.29 to 0.73 (adherent
# cells) and to 0.76 (bacteria), with true flows to 0.73 and 0.71; but with 1, the foreground is a fifth of the loss.
PROBABILITY_WEIGHT = 3.0
LONGEST_MEMORY = 0.999  # the averaged weights span about 1,000 steps


class Learner:
    """A network in training."""

    def __init__(self, recipe: Recipe, device: str = "cpu") -> None:
        """Random first weights, on a device."""
        self.recipe, self.device = recipe, device
        # channels_last: 0.90 s instead of 1.04 s a step (8 crops of 160x160, AVX2).
        network = FlowNetwork(recipe.widths, recipe.mean_diameter).to(device)
        self.network = network.to(memory_format=torch.channels_last)
        # Of the style; not used after training.
        self.magnification = torch.nn.Linear(recipe.widths[-1], 1).to(device)
        self.trained = [*self.network.parameters(), *self.magnification.parameters()]
        self.optimiser = torch.optim.AdamW(
            self.trained, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=device != "cpu"
        )
        # Averaged weights segment better than those of a single step, especially while the learning rate is high.
        self.average = AveragedModel(self.network, multi_avg_fn=_average, use_buffers=True)

    @property
    def kept(self) -> FlowNetwork:
        """The network whose weights are validated and saved."""
        return cast(FlowNetwork, self.average.module)

    @property
    def side(self) -> int:
        """Pixels along the side of the largest image that `look` is given."""
        return SIDE

    def look(self, image: Floats) -> Floats:
        """The outputs (3, Y, X) of the averaged weights for a normalised image (2, Y, X)."""
        return look(self.kept, image)

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

    def step(self, batch: Batch, fraction: float) -> Tensor:
        """Train on a batch after this fraction of the budget; returns the loss, still on the device.

        Crops after those of the batch only train the size.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.learning_rate * schedule(fraction)
        count = self.recipe.batch
        self.optimiser.zero_grad(set_to_none=True)
        batch = batch.to(self.device)
        images = batch.images.to(memory_format=torch.channels_last)
        kind = torch.device(self.device).type
        with torch.autocast(kind, torch.bfloat16, enabled=_has_bfloat16(kind)):
            features, styles = self.network.encode(images)
            outputs = self.network.decode([level[:count] for level in features], styles[:count])
        loss = flow_loss(outputs.float(), batch.flows[:count], batch.foreground[:count])
        (loss + SIZE_WEIGHT * self._size_loss(styles.float(), batch.magnifications)).backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 5.0)
        self.optimiser.step()
        self.average.update_parameters(self.network)
        return loss.detach()

    def _size_loss(self, styles: Tensor, magnifications: Tensor) -> Tensor:
        """Mean squared error of the log magnification (N,) predicted by a linear map of the styles (N, S).

        Crops of images without objects, whose magnification is 0, do not count.
        """
        scaled = styles * styles.shape[1] ** 0.5  # from unit vectors to numbers around 1
        told = self.magnification(scaled)[:, 0]
        known = magnifications > 0
        true = magnifications.where(known, 1.0).log()
        result: Tensor = ((told - true).square() * known).sum() / known.sum().clamp(min=1)
        return result


def flow_loss(
    outputs: Tensor, flows: Tensor, foreground: Tensor, probability_weight: float = PROBABILITY_WEIGHT
) -> Tensor:
    """Half the mean squared error of 5 x flows plus the weighted cross-entropy of the probability.

    Shapes: outputs (N, 3, Y, X), flows (N, 2, Y, X), foreground (N, Y, X). Pixels of negative foreground, where nobody
    is sure, do not count.
    """
    known = (foreground >= 0).to(outputs.dtype)
    count = known.sum().clamp(min=1)
    squared = ((outputs[:, :2] - FLOW_SCALE * flows).square().mean(1) * known).sum() / count / 2
    crossed = functional.binary_cross_entropy_with_logits(
        outputs[:, 2], foreground.clamp(min=0), weight=known, reduction="sum"
    )
    return squared + probability_weight * crossed / count


def look(network: FlowNetwork, image: Floats) -> Floats:
    """The outputs (3, Y, X) of a network for a normalised image (2, Y, X)."""
    height, width = image.shape[1:]
    multiple = 2 ** (len(network.downsample.down) - 1)  # the network halves images between its levels
    below, beside = (MARGIN + -(side + 2 * MARGIN) % multiple for side in (height, width))
    margins = ((0, 0), (MARGIN, below), (MARGIN, beside))
    network.eval()
    with torch.inference_mode():
        outputs, _ = network(torch.from_numpy(np.pad(image, margins)[None]).to(network.diam_mean.device))
    found: Floats = outputs[0, :, MARGIN : MARGIN + height, MARGIN : MARGIN + width].cpu().numpy()
    return found


def save_weights(network: torch.nn.Module, path: Path, half: bool = False) -> None:
    """Save the weights; `half`: matrices in 16 bits, half the size, labels differ by a few pixels in a thousand."""
    from safetensors.torch import save

    state = {
        name: (value.half() if half and value.ndim > 1 else value).cpu().contiguous()
        for name, value in network.state_dict().items()
    }
    data = save(state)  # safetensors' own file writer makes the file readable only by its owner
    write_atomically(path, lambda part: part.write_bytes(data))


def load_weights(network: torch.nn.Module, path: Path) -> None:
    """Read weights written by `save_weights`."""
    from safetensors.torch import load_file

    network.load_state_dict(load_file(path))


@torch.no_grad()
def _average(old: Sequence[Tensor], new: Sequence[Tensor], count: Tensor | int) -> None:
    """Update the running averages of all tensors after `count` steps, in place; shorter in short trainings."""
    memory = min(LONGEST_MEMORY, (1 + int(count)) / (10 + int(count)))
    for kept, seen in zip(old, new, strict=True):
        if kept.is_floating_point():
            kept.lerp_(seen, 1 - memory)
        else:
            kept.copy_(seen)


def schedule(fraction: float) -> float:
    """Learning rate relative to its peak: a short rise, then a cosine down to 0."""
    return min(1.0, fraction / WARM_UP + 0.01) * 0.5 * (1 + math.cos(math.pi * min(fraction, 1.0)))


def _has_bfloat16(kind: str) -> bool:
    """Whether a device of this kind multiplies 16-bit floats faster than 32-bit ones.

    Measured for a step of 8 crops of 160x160 with widths (2, 16, 32, 48, 64), AVX-512 with BF16, 2 cores: 0.54 s in 32
    bits, 0.37 s with the convolutions in 16; compiled 0.58 s and 0.33 s, but after 40 to 70 s of compiling.
    """
    if kind != "cpu":
        return kind == "cuda" and torch.cuda.is_bf16_supported()
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # missing in older supported versions of torch
    return bool(supported and supported())
