"""The tensors of the convolutional network by name and shape, without torch, to check checkpoints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from numpy.typing import NDArray

Shapes = dict[str, tuple[int, ...]]
CHANNELS = 2  # the channel to segment and the nuclei
MOST_CHANNELS = 8  # of a network of somebody's own
OUTPUTS = 3  # y flow and x flow, cell probability as a logit
RESTORED = 1  # output of a network that restores images: the channel that goes in
FLOW_SCALE = 5  # the network's flows are scaled by this factor
DIAMETERS = ("diam_mean", "diam_labels")
COUNTER = "num_batches_tracked"  # of batch normalisation; not used for predictions
WIDEST, MOST_WIDTHS = 4096, 10  # of a network; far more than any real one


@dataclass(frozen=True)
class Convolutional:
    """The sizes of a network: the channels of the image, then those of each level; and how many outputs it has."""

    widths: tuple[int, ...]
    outputs: int = OUTPUTS

    @classmethod
    def of(cls, shapes: Mapping[str, tuple[int, ...]]) -> Convolutional | None:
        """The network with these tensors; None if they are not those of such a network."""
        try:
            widths = widths_from_shapes(shapes)
            outputs = RESTORED if shapes["output.2.weight"][0] == RESTORED else OUTPUTS
        except (KeyError, IndexError):
            return None
        possible = len(widths) <= MOST_WIDTHS and all(0 < width <= WIDEST for width in widths)
        return cls(widths, outputs) if possible else None

    @property
    def channels(self) -> int:
        """Of the image."""
        return self.widths[0]

    @property
    def style_length(self) -> int:
        """Numbers in the style."""
        return self.widths[-1]

    @property
    def tile(self) -> None:
        """Tiles may have any side that the network can halve."""
        return None

    @property
    def shapes(self) -> Shapes:
        """Name -> shape of every tensor."""
        return network_shapes(self.widths, self.outputs)

    @property
    def memory(self) -> int:
        """Bytes that it takes at most: as read, in 64 bits, then the predictor's own."""
        return 16 * weight_count(self.shapes)

    def problem(self, name: str, array: NDArray[Any]) -> str:
        """What is wrong with the numbers of a tensor, as the end of a sentence; empty if nothing is."""
        is_variance = name.endswith("running_var")
        return (
            "holds variances below 0, so the file is damaged; copy it again"
            if is_variance and (array < 0).any()
            else ""
        )

    def __str__(self) -> str:
        """The network in words, for sentences."""
        return f"a network of the widths {', '.join(map(str, self.widths))}"


def widths_from_shapes(shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """The widths of the network with these tensors; raises KeyError or IndexError for other networks."""
    first = shapes["downsample.down.res_down_0.conv.conv_0.2.weight"][1]
    levels = sum(name.startswith("downsample.") and name.endswith(".proj.1.weight") for name in shapes)
    return (first, *(shapes[f"downsample.down.res_down_{level}.proj.1.weight"][0] for level in range(levels)))


def network_shapes(widths: Sequence[int], outputs: int = OUTPUTS) -> Shapes:
    """Name -> shape of every tensor of `core.models.network.FlowNetwork(widths, outputs=outputs)`."""
    shapes: Shapes = dict.fromkeys(DIAMETERS, (1,))
    for level, (above, below) in enumerate(pairwise(widths)):
        shapes |= _encoder_block(f"downsample.down.res_down_{level}", above, below)
    style = widths[-1]
    levels = [*widths[1:], style]  # the deepest block keeps its width
    for level, (above, below) in enumerate(pairwise(levels)):
        shapes |= _decoder_block(f"upsample.up.res_up_{level}", below, above, style)
    return shapes | _normalised_convolution("output", 2, widths[1], outputs, 1)


def _encoder_block(name: str, inputs: int, outputs: int) -> Shapes:
    shapes = _normalised_convolution(f"{name}.proj", 1, inputs, outputs, 1)
    for index, width in enumerate((inputs, outputs, outputs, outputs)):
        shapes |= _normalised_convolution(f"{name}.conv.conv_{index}", 2, width, outputs, 3)
    return shapes


def _decoder_block(name: str, inputs: int, outputs: int, style: int) -> Shapes:
    shapes = _normalised_convolution(f"{name}.proj", 1, inputs, outputs, 1)
    shapes |= _normalised_convolution(f"{name}.conv.conv_0", 2, inputs, outputs, 3)
    for index in (1, 2, 3):
        styled = f"{name}.conv.conv_{index}"
        shapes |= _normalised_convolution(f"{styled}.conv", 2, outputs, outputs, 3)
        shapes |= {f"{styled}.full.weight": (outputs, style), f"{styled}.full.bias": (outputs,)}
    return shapes


def _normalised_convolution(name: str, place: int, inputs: int, outputs: int, kernel: int) -> Shapes:
    """Batch normalisation, then a convolution at `place` of the sequence (2 behind a ReLU, else 1)."""
    normalisation = ("weight", "bias", "running_mean", "running_var")
    return {
        **{f"{name}.0.{part}": (inputs,) for part in normalisation},
        f"{name}.0.{COUNTER}": (),
        f"{name}.{place}.weight": (outputs, inputs, kernel, kernel),
        f"{name}.{place}.bias": (outputs,),
    }


def weight_count(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Numbers in all tensors."""
    return sum(math.prod(shape) for shape in shapes.values())


def is_counter(name: str) -> bool:
    """Whether a tensor counts batches; not used for predictions, and missing in early checkpoints."""
    return name.endswith(COUNTER)


def different_tensors(found: Shapes, expected: Shapes) -> list[str]:
    """Names of missing, additional or differently shaped tensors; diameters and counters may be missing."""
    missing = [name for name in expected if name not in found and name not in DIAMETERS and not is_counter(name)]
    return missing + [name for name, shape in found.items() if expected.get(name) != shape]
