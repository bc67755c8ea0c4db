"""Cellpose 4's network on the CPU through OpenVINO."""

from __future__ import annotations

import threading

import numpy as np

from cellspan.core.inference.openvino_predictor import compiled, device_in_words, precision
from cellspan.core.inference.tile_rules import TileRules
from cellspan.core.inference.transformer_graph import build_transformer
from cellspan.core.models.registry import Model
from cellspan.core.pictures.images import Floats


class TransformerPredictor:
    """One graph for the only size of tiles, compiled at once.

    A tile takes seconds, all of the processor and a gigabyte, so tiles come one after the other, also those of several
    images.
    """

    tensors = False
    batch = 1

    def __init__(self, model: Model) -> None:
        """Read a model's weights and compile its graph (5 s for 304 million weights); raises CellspanError."""
        sizes = model.description.transformer
        assert sizes is not None
        self.device = device_in_words(precision())
        self.rules = TileRules.of(model.description)
        # The graph holds no more than what is compiled, so that the weights as they were read are given up here.
        self._request = compiled(build_transformer(model.weights(), sizes)).create_infer_request()
        self._one_at_a_time = threading.Lock()

    def encode(self, tiles: Floats, beside: int = 0) -> tuple[Floats, Floats]:
        """See Predictor; the features are the outputs, and there are no deepest ones."""
        outputs = np.concatenate([self._outputs(tile[None]) for tile in tiles])
        return outputs, outputs[:, :0]

    def decode(self, features: Floats, style: Floats, beside: int = 0) -> Floats:
        """See Predictor."""
        return features

    def _outputs(self, tile: Floats) -> Floats:
        """(1, C, tile, tile) -> (1, 3, tile, tile)."""
        with self._one_at_a_time:
            self._request.infer({0: tile}, share_inputs=True)
            found: Floats = self._request.get_output_tensor(0).data.copy()
        return found
