"""The network of Cellpose (Stringer et al. 2021, fig. 1 and Methods) in torch: a U-Net with a style vector.

Module names follow the official checkpoints of Cellpose 1 to 3 (cyto, cyto2, cyto3, nuclei), so that state_dicts with
widths (2, 32, 64, 128, 256) are interchangeable. `core.inference.openvino_graph` builds the same network without torch.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from cellspan.core.models.architecture import OUTPUTS

COMPACT_WIDTHS = (2, 16, 32, 48, 64)
CELLPOSE_WIDTHS = (2, 32, 64, 128, 256)


def _normalised_convolution(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """Batch norm, ReLU, convolution: the paper's order."""
    return nn.Sequential(
        nn.BatchNorm2d(inputs, eps=1e-5, momentum=0.05),
        nn.ReLU(inplace=True),
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2),
    )


def _projection(inputs: int, outputs: int) -> nn.Sequential:
    """The shortcut of a residual block: batch norm and a 1x1 convolution, no ReLU."""
    return nn.Sequential(nn.BatchNorm2d(inputs, eps=1e-5, momentum=0.05), nn.Conv2d(inputs, outputs, 1))


def _named(blocks: Sequence[nn.Module], prefix: str) -> nn.Sequential:
    return nn.Sequential(OrderedDict((f"{prefix}_{i}", block) for i, block in enumerate(blocks)))


class EncoderBlock(nn.Module):
    """Four convolutions in two residual pairs."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """Map `inputs` channels to `outputs` channels at one resolution."""
        super().__init__()
        widths = (inputs, outputs, outputs, outputs)
        self.conv = _named([_normalised_convolution(width, outputs, 3) for width in widths], "conv")
        self.proj = _projection(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, Y, X) -> (N, outputs, Y, X)."""
        x = self.proj(x) + self.conv[1](self.conv[0](x))
        result: Tensor = x + self.conv[3](self.conv[2](x))
        return result


class StyledConvolution(nn.Module):
    """A convolution whose input is shifted, channel by channel, by a linear map of the style."""

    def __init__(self, inputs: int, outputs: int, style: int) -> None:
        """`style`: the length of the style vector."""
        super().__init__()
        self.conv = _normalised_convolution(inputs, outputs, 3)
        self.full = nn.Linear(style, inputs)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """(N, inputs, Y, X), (N, style) -> (N, outputs, Y, X)."""
        result: Tensor = self.conv(x + self.full(style)[:, :, None, None])
        return result


class DecoderBlock(nn.Module):
    """Four convolutions in two residual pairs; adds the encoder's features (skip) and the style."""

    def __init__(self, inputs: int, outputs: int, style: int) -> None:
        """Map `inputs` channels from below to `outputs` channels, those of the skip."""
        super().__init__()
        styled = [StyledConvolution(outputs, outputs, style) for _ in range(3)]
        self.conv = _named([_normalised_convolution(inputs, outputs, 3), *styled], "conv")
        self.proj = _projection(inputs, outputs)

    def forward(self, x: Tensor, skip: Tensor, style: Tensor) -> Tensor:
        """(N, inputs, Y, X) from below, (N, outputs, Y, X) from the encoder -> (N, outputs, Y, X)."""
        x = self.proj(x) + self.conv[1](self.conv[0](x) + skip, style)
        result: Tensor = x + self.conv[3](self.conv[2](x, style), style)
        return result


class _Encoder(nn.Module):
    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        pairs = pairwise(widths)
        self.down = _named([EncoderBlock(*pair) for pair in pairs], "res_down")

    def forward(self, x: Tensor) -> list[Tensor]:
        features: list[Tensor] = []
        for level, block in enumerate(self.down):
            features.append(block(functional.max_pool2d(features[-1], 2) if level else x))
        return features


class _Decoder(nn.Module):
    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        style = widths[-1]
        levels = [*widths[1:], style]  # the deepest block keeps its width
        pairs = [(below, above) for above, below in pairwise(levels)]
        self.up = _named([DecoderBlock(*pair, style) for pair in pairs], "res_up")

    def forward(self, style: Tensor, features: list[Tensor]) -> Tensor:
        x = features[-1]
        for level in reversed(range(len(self.up))):
            if level < len(self.up) - 1:
                x = functional.interpolate(x, scale_factor=2, mode="nearest")
            x = self.up[level](x, features[level], style)
        return x


class FlowNetwork(nn.Module):
    """(N, 2, Y, X) normalised images, Y and X multiples of 8 -> (N, 3, Y, X) outputs and (N, style) unit vectors.

    The outputs are 5 times the y flow, 5 times the x flow, and the logit of the cell probability.
    """

    def __init__(self, widths: Sequence[int] = COMPACT_WIDTHS, diameter: float = 30.0, outputs: int = OUTPUTS) -> None:
        """`widths` are the channels of the input and of each level; `diameter` is that of training, in pixels.

        With one output it restores images instead: (N, 1, Y, X) -> (N, 1, Y, X).
        """
        super().__init__()
        self.widths = tuple(widths)
        self.downsample = _Encoder(widths)
        self.upsample = _Decoder(widths)
        self.output = _normalised_convolution(widths[1], outputs, 1)
        # Official checkpoints contain these: mean diameter in training, and of the user's own images.
        self.diam_mean = nn.Parameter(torch.tensor([float(diameter)]), requires_grad=False)
        self.diam_labels = nn.Parameter(torch.tensor([float(diameter)]), requires_grad=False)

    def encode(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """Features of each level and style of a batch of images."""
        features = self.downsample(images)
        style = features[-1].mean(dim=(2, 3))
        return features, style / style.square().sum(dim=1, keepdim=True).sqrt()

    def decode(self, features: list[Tensor], style: Tensor) -> Tensor:
        """Outputs (N, 3, Y, X) from features and style."""
        outputs: Tensor = self.output(self.upsample(style, features))
        return outputs

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs and style of a batch of images."""
        features, style = self.encode(images)
        return self.decode(features, style), style
