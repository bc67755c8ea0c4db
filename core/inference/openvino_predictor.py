"""The network on the CPU through OpenVINO."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import openvino as ov

from cellspan.core.images import Floats
from cellspan.core.inference.openvino_graph import build_graph
from cellspan.core.models.registry import Model

# float32 on purpose: OpenVINO would use bfloat16 where the CPU has it, and labels would depend on the machine.
SETTINGS = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}


class OpenVinoPredictor:
    """A graph compiled once for each size of tile.

    One graph for all sizes would be simpler, but OpenVINO then prepares its kernels again whenever the size changes:
    measured 0.6 s a call instead of 0.1 s, on two images of 256x256 that take turns with their own resized copies.
    """

    device = "cpu"
    batch = 4

    def __init__(self, model: Model) -> None:
        """Build the model's graph; it is compiled (about 0.3 s) when the first tile comes."""
        self._weights = model.weights()
        self._compiled = lru_cache(maxsize=16)(self._compile)

    def _compile(self, channels: int, height: int, width: int) -> ov.CompiledModel:
        graph = build_graph(self._weights)
        graph.reshape([1, channels, height, width])
        return ov.Core().compile_model(graph, "CPU", SETTINGS)

    def predict(self, tiles: Floats) -> tuple[Floats, Floats]:
        """See Predictor."""
        compiled = self._compiled(*tiles.shape[1:])
        results = [compiled(tile[None]) for tile in tiles]
        return np.concatenate([result[0] for result in results]), np.concatenate([result[1] for result in results])
