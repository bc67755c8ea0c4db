"""The network of `core.models.transformer_network` as an OpenVINO graph, built from its weights without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from cellspan.core.models.architecture import OUTPUTS
from cellspan.core.models.transformer import PATCHES, POSITIONS, Transformer, relative_positions

EPSILON = 1e-6  # of all normalisations, as in training


def build_transformer(state: Mapping[str, NDArray[Any]], sizes: Transformer) -> ov.Model:
    """One tile (1, C, tile, tile) -> its outputs (1, 3, tile, tile). The graph refers to the arrays of the state."""
    return _Builder(state, sizes).graph()


class _Builder:
    """One method per part of the network; names are those of the state_dict.

    Tokens are (side * side, width). What is compared and gathered in attention is (heads, tokens, head).
    """

    def __init__(self, state: Mapping[str, NDArray[Any]], sizes: Transformer) -> None:
        self.state, self.sizes = state, sizes
        self.tokens = sizes.side**2

    def graph(self) -> ov.Model:
        sizes = self.sizes
        tile = ops.parameter([1, sizes.channels, sizes.tile, sizes.tile], np.float32, name="tile")
        x = self._convolution(PATCHES, tile, stride=sizes.patch)
        x = ops.add(_transposed(x, 0, 2, 3, 1), self._weight(POSITIONS))
        x = _reshaped(x, self.tokens, sizes.width)
        for number in range(len(sizes.rows)):
            x = self._block(f"encoder.blocks.{number}", x)
        x = _transposed(_reshaped(x, 1, sizes.side, sizes.side, sizes.width), 0, 3, 1, 2)
        for number in (0, 2):
            x = self._convolution(f"encoder.neck.{number}", x)
            x = self._normalised(f"encoder.neck.{number + 1}", x, 1, (1, -1, 1, 1))
        x = self._convolution("out", x, last=OUTPUTS * sizes.patch**2)
        return ov.Model([ops.result(ops.depth_to_space(x, "depth_first", sizes.patch))], [tile], "transformer")

    def _block(self, name: str, x: ov.Node) -> ov.Node:
        x = ops.add(x, self._attention(f"{name}.attn", self._normalised(f"{name}.norm1", x, -1, (1, -1))))
        inner = self._linear(f"{name}.mlp.lin1", self._normalised(f"{name}.norm2", x, -1, (1, -1)))
        return ops.add(x, self._linear(f"{name}.mlp.lin2", ops.gelu(inner, "erf")))

    def _attention(self, name: str, x: ov.Node) -> ov.Node:
        heads, head = self.sizes.heads, self.sizes.head
        split = _transposed(_reshaped(self._linear(f"{name}.qkv", x), self.tokens, 3, heads, head), 1, 2, 0, 3)
        queries, keys, values = (_reshaped(part, heads, self.tokens, head) for part in _parts(split, 3))
        alike = ops.matmul(ops.multiply(queries, _constant(np.float32(head**-0.5))), keys, False, True)
        weights = ops.softmax(ops.add(alike, self._nearness(name, queries)), -1)
        gathered = _transposed(ops.matmul(weights, values, False, False), 1, 0, 2)
        return self._linear(f"{name}.proj", _reshaped(gathered, self.tokens, self.sizes.width))

    def _nearness(self, name: str, queries: ov.Node) -> ov.Node:
        """What the places of two tokens add to their weight: (heads, tokens, tokens)."""
        side, heads = self.sizes.side, self.sizes.heads
        queries = _reshaped(queries, heads, side, side, self.sizes.head)
        rows = ops.matmul(queries, self._distances(f"{name}.rel_pos_h"), False, True)
        columns = ops.matmul(_transposed(queries, 0, 2, 1, 3), self._distances(f"{name}.rel_pos_w"), False, True)
        rows = _reshaped(rows, heads, side, side, side, 1)
        columns = _reshaped(_transposed(columns, 0, 2, 1, 3), heads, side, side, 1, side)
        return _reshaped(ops.add(rows, columns), heads, self.tokens, self.tokens)

    def _distances(self, name: str) -> ov.Node:
        """For each place along an axis the table's rows for all places: (side, side, head)."""
        places = np.arange(self.sizes.side)
        table = relative_positions(self.state[name], self.sizes.side)
        return _constant(table[places[:, None] - places + self.sizes.side - 1])

    def _normalised(self, name: str, x: ov.Node, axis: int, shape: tuple[int, ...]) -> ov.Node:
        """Mean 0 and variance 1 along an axis, then a factor and an offset for each of its numbers."""
        x = ops.mvn(x, _constant(np.array([axis])), True, EPSILON, "inside_sqrt")
        x = ops.multiply(x, _constant(self.state[f"{name}.weight"].reshape(shape)))
        return ops.add(x, _constant(self.state[f"{name}.bias"].reshape(shape)))

    def _linear(self, name: str, x: ov.Node) -> ov.Node:
        return ops.add(ops.matmul(x, self._weight(f"{name}.weight"), False, True), self._weight(f"{name}.bias"))

    def _convolution(self, name: str, x: ov.Node, stride: int = 1, last: int = 0) -> ov.Node:
        """With a bias if it has one; `last`: only so many of its last channels (0 = all)."""
        weight = self.state[f"{name}.weight"][-last:]
        margin = weight.shape[-1] // 2 if stride == 1 else 0
        x = ops.convolution(x, _constant(weight), [stride] * 2, [margin] * 2, [margin] * 2, [1, 1])
        bias = self.state.get(f"{name}.bias")
        return x if bias is None else ops.add(x, _constant(bias[-last:].reshape(1, -1, 1, 1)))

    def _weight(self, name: str) -> ov.Node:
        return _constant(self.state[name])


def _constant(array: Any) -> ov.Node:
    """A constant that refers to the array if it is in float32 already: all of them take 1.2 GB."""
    array = np.ascontiguousarray(array, None if array.dtype.kind == "i" else np.float32)
    return ops.constant(array, shared_memory=True)


def _reshaped(x: ov.Node, *shape: int) -> ov.Node:
    return ops.reshape(x, ops.constant(np.array(shape)), False)


def _transposed(x: ov.Node, *order: int) -> ov.Node:
    return ops.transpose(x, ops.constant(np.array(order)))


def _parts(x: ov.Node, count: int) -> list[ov.Output]:
    """Equal parts along the first axis."""
    parts: list[ov.Output] = ops.split(x, ops.constant(np.array(0)), count).outputs()
    return parts
