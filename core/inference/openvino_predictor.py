"""The network on the CPU through OpenVINO."""

from __future__ import annotations

import openvino as ov

from cellspan.core.images import Floats
from cellspan.core.inference.openvino_graph import build_graph
from cellspan.core.models.registry import Model


class OpenVinoPredictor:
    """One compiled graph for tiles of every size."""

    device = "cpu"
    batch = 4

    def __init__(self, model: Model) -> None:
        """Build and compile the model's graph (about 0.3 s)."""
        # float32 on purpose: OpenVINO would use bfloat16 where the CPU has it, and labels would depend on the machine.
        settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        self._compiled = ov.Core().compile_model(build_graph(model.weights()), "CPU", settings)

    def predict(self, tiles: Floats) -> tuple[Floats, Floats]:
        """See Predictor."""
        result = self._compiled(tiles)
        return result[0], result[1]
