"""The network of `core.models.network` as an OpenVINO graph, built from its weights without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from cellspan.core.errors import CellspanError

State = Mapping[str, NDArray[Any]]
EPSILON = 1e-5  # of batch normalisation, as in training


def build_encoder(state: State, height: int, width: int) -> ov.Model:
    """The first half of the network: one image (1, 2, height, width) -> the features of each level (1, C, Y, X).

    Raises CellspanError if weights are missing.
    """
    return _checked(lambda: _Builder(state).encoder(height, width))


def build_decoder(state: State, height: int, width: int) -> ov.Model:
    """The second half: the features of each level and the style (1, S) -> the outputs (1, 3, height, width).

    The style is the mean over the deepest features in the whole image, of unit length. Raises CellspanError as above.
    """
    return _checked(lambda: _Builder(state).decoder(height, width))


def _checked(build: Callable[[], ov.Model]) -> ov.Model:
    try:
        return build()
    except KeyError as error:
        raise CellspanError(f"The weights lack {error}: they are not those of a Cellpose-style network.") from None


class _Builder:
    """One method per part of the network; names are those of the state_dict."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.levels = sum(name.startswith("downsample.") and name.endswith(".proj.1.weight") for name in state)

    def encoder(self, height: int, width: int) -> ov.Model:
        channels = self._array("downsample.down.res_down_0.conv.conv_0.0.weight").shape[0]
        images = ops.parameter([1, channels, height, width], np.float32, name="images")
        features: list[ov.Node] = []
        for level in range(self.levels):
            below = self._max_pool(features[-1]) if level else images
            features.append(self._encoder_block(f"downsample.down.res_down_{level}", below))
        return ov.Model([ops.result(node) for node in features], [images], "encoder")

    def decoder(self, height: int, width: int) -> ov.Model:
        features = [
            ops.parameter([1, len(self._array(f"downsample.down.res_down_{k}.proj.1.bias")), height >> k, width >> k])
            for k in range(self.levels)
        ]
        style = ops.parameter([1, features[-1].shape[1]], np.float32, name="style")
        x = features[-1]
        for level in reversed(range(self.levels)):
            doubled = level < self.levels - 1
            x = self._decoder_block(f"upsample.up.res_up_{level}", x, features[level], style, doubled)
        return ov.Model([ops.result(self._convolution("output", x))], [*features, style], "decoder")

    def _array(self, name: str) -> NDArray[np.float64]:
        return np.asarray(self.state[name], np.float64)

    def _affine(self, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Batch normalisation at rest: factor and offset of each channel."""
        factor = self._array(f"{name}.weight") / np.sqrt(self._array(f"{name}.running_var") + EPSILON)
        return factor, self._array(f"{name}.bias") - self._array(f"{name}.running_mean") * factor

    def _encoder_block(self, name: str, x: ov.Node) -> ov.Node:
        inner = self._convolution(f"{name}.conv.conv_1", self._convolution(f"{name}.conv.conv_0", x))
        x = ops.add(self._projection(f"{name}.proj", x), inner)
        inner = self._convolution(f"{name}.conv.conv_3", self._convolution(f"{name}.conv.conv_2", x))
        return ops.add(x, inner)

    def _decoder_block(self, name: str, x: ov.Node, skip: ov.Node, style: ov.Node, doubled: bool) -> ov.Node:
        """The features below, half as high and wide as the skip if `doubled`, and the encoder's of this level.

        Nearest-pixel doubling is never done by itself: the projection comes before it, and with the 3x3 convolution
        after it, it is one transposed convolution with 4 instead of 9 multiplications a pixel.
        """
        projected = self._projection(f"{name}.proj", x)
        first = f"{name}.conv.conv_0"
        x = self._normalised(f"{first}.0", x)
        weight, bias = self._array(f"{first}.2.weight"), self._array(f"{first}.2.bias")
        if doubled:
            projected, inner = self._double(projected), _convolve_doubled(x, weight, bias)
        else:
            inner = _convolve(x, weight, bias)
        x = ops.add(projected, self._styled_convolution(f"{name}.conv.conv_1", ops.add(inner, skip), style))
        inner = self._styled_convolution(f"{name}.conv.conv_2", x, style)
        return ops.add(x, self._styled_convolution(f"{name}.conv.conv_3", inner, style))

    def _styled_convolution(self, name: str, x: ov.Node, style: ov.Node) -> ov.Node:
        """Moves the normalisation past the addition: f * (x + shift) + offset = f * x + (f * shift + offset)."""
        factor, offset = self._affine(f"{name}.conv.0")
        weight = self._array(f"{name}.full.weight") * factor[:, None]
        bias = self._array(f"{name}.full.bias") * factor + offset
        shift = ops.add(ops.matmul(style, _constant(weight), False, True), _constant(bias[None]))
        shift = ops.unsqueeze(shift, ops.constant(np.array([2, 3])))
        x = ops.add(ops.multiply(x, _constant(factor[None, :, None, None])), shift)
        return self._plain_convolution(f"{name}.conv.2", ops.relu(x))

    def _convolution(self, name: str, x: ov.Node) -> ov.Node:
        return self._plain_convolution(f"{name}.2", self._normalised(f"{name}.0", x))

    def _normalised(self, name: str, x: ov.Node) -> ov.Node:
        factor, offset = self._affine(name)
        x = ops.multiply(x, _constant(factor[None, :, None, None]))
        return ops.relu(ops.add(x, _constant(offset[None, :, None, None])))

    def _projection(self, name: str, x: ov.Node) -> ov.Node:
        """Normalisation and 1x1 convolution with nothing between them: one convolution."""
        factor, offset = self._affine(f"{name}.0")
        weight, bias = self._array(f"{name}.1.weight"), self._array(f"{name}.1.bias")
        return _convolve(x, weight * factor[None, :, None, None], bias + weight[:, :, 0, 0] @ offset)

    def _plain_convolution(self, name: str, x: ov.Node) -> ov.Node:
        return _convolve(x, self._array(f"{name}.weight"), self._array(f"{name}.bias"))

    @staticmethod
    def _max_pool(x: ov.Node) -> ov.Node:
        pooled: ov.Node = ops.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2])
        return pooled.output(0)

    @staticmethod
    def _double(x: ov.Node) -> ov.Node:
        return ops.interpolate(
            x,
            ops.constant(np.array([2.0, 2.0], np.float32)),
            "nearest",
            "scales",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
            axes=ops.constant(np.array([2, 3])),
        )


def _constant(array: NDArray[np.float64]) -> ov.Node:
    return ops.constant(array.astype(np.float32))


def _convolve(x: ov.Node, weight: NDArray[np.float64], bias: NDArray[np.float64]) -> ov.Node:
    margin = weight.shape[-1] // 2
    convolved = ops.convolution(x, _constant(weight), [1, 1], [margin, margin], [margin, margin], [1, 1])
    return ops.add(convolved, _constant(bias[None, :, None, None]))


def _convolve_doubled(x: ov.Node, weight: NDArray[np.float64], bias: NDArray[np.float64]) -> ov.Node:
    """A 3x3 convolution of `x` with every pixel doubled along y and x, as a transposed one of 4x4 with stride 2.

    Pixel i of x lies under pixels 2i and 2i + 1, so output o sees it with the taps 2i - o and 2i + 1 - o of the kernel.
    """
    taps = np.zeros((4, 3))  # position in the transposed kernel, o - 2i + 1; tap of the kernel, -1, 0 or 1
    for position in range(4):
        for tap in (1 - position, 2 - position):
            if abs(tap) <= 1:
                taps[position, tap + 1] = 1
    spread = np.einsum("ak,bl,oikl->ioab", taps, taps, weight)
    doubled = ops.convolution_backprop_data(x, _constant(spread), [2, 2], None, [1, 1], [1, 1], [1, 1])
    return ops.add(doubled, _constant(bias[None, :, None, None]))
