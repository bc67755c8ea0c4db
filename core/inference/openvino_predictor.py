"""The network on the CPU through OpenVINO."""

from __future__ import annotations

import os
from functools import lru_cache

import numpy as np
import openvino as ov

from cellspan.core.errors import CellspanError
from cellspan.core.inference.openvino_graph import State, build_decoder, build_encoder
from cellspan.core.inference.tile_rules import TileRules
from cellspan.core.machine.processors import are_rationed, usable_processors
from cellspan.core.pictures.images import Floats

# float32 unless somebody asks: left alone, OpenVINO uses bfloat16 where the CPU has it, so that labels would depend on
# the machine.
PRECISION_VARIABLE = "CELLSPAN_PRECISION"
PRECISIONS = {"float32": ov.Type.f32, "bfloat16": ov.Type.bf16}


class OpenVinoPredictor:
    """Graphs compiled once for each size of tile.

    One graph for all sizes would be simpler, but OpenVINO then prepares its kernels again whenever the size changes:
    measured 0.6 s a call instead of 0.1 s, on two images of 256x256 that take turns with their own resized copies.
    """

    tensors = False
    batch = 1  # 4 tiles at once take longer than one after the other (docs/performance.md)

    def __init__(self, weights: State, rules: TileRules | None = None) -> None:
        """Keep a model's weights; graphs are compiled (about 0.3 s) when the first tile comes.

        Raises CellspanError if the environment asks for a precision that does not exist or that this CPU lacks.
        """
        self.device, self.rules = device_in_words(precision()), rules or TileRules()
        # Apart, because estimating a diameter takes the encoder only; each for all of the processor and for half of it.
        self._encoder = lru_cache(maxsize=32)(lambda y, x, share: compiled(build_encoder(weights, y, x), share))
        self._decoder = lru_cache(maxsize=32)(lambda y, x, share: compiled(build_decoder(weights, y, x), share))

    def encode(self, tiles: Floats, beside: int = 0) -> tuple[list[ov.InferRequest], Floats]:
        """See Predictor."""
        encoder = self._encoder(*tiles.shape[2:], _share(beside))
        requests = [encoder.create_infer_request() for _ in tiles]  # each keeps the features of its tile
        for request, tile in zip(requests, tiles, strict=True):
            request.infer({0: tile[None]}, share_inputs=True)
        last = len(encoder.outputs) - 1
        return requests, np.concatenate([request.get_output_tensor(last).data for request in requests])

    def decode(self, features: list[ov.InferRequest], style: Floats, beside: int = 0) -> Floats:
        """See Predictor."""
        height, width = features[0].get_output_tensor(0).shape[2:]
        decoder = self._decoder(height, width, _share(beside))
        request = decoder.create_infer_request()
        last = len(decoder.inputs) - 1
        request.set_input_tensor(last, ov.Tensor(style[None]))
        outputs = []
        for encoded in features:
            for k in range(last):
                request.set_input_tensor(k, encoded.get_output_tensor(k))
            request.infer()
            outputs.append(request.get_output_tensor(0).data[0].copy())
        return np.stack(outputs)


def compiled(graph: ov.Model, share: int = 1) -> ov.CompiledModel:
    """The graph for one of `share` parts of the processor, in the precision that the environment asks for."""
    settings = {
        "INFERENCE_PRECISION_HINT": PRECISIONS[precision()],
        "PERFORMANCE_HINT": "LATENCY",
        # Beside another busy program a thread that is bound to its core waits although another core is free.
        "ENABLE_CPU_PINNING": False,
    }
    if share > 1 or are_rationed():
        settings["INFERENCE_NUM_THREADS"] = max(1, usable_processors() // share)
    return ov.Core().compile_model(graph, "CPU", settings)


def device_in_words(chosen: str) -> str:
    """The processor, and a precision that is not the usual one."""
    return "cpu" if chosen == "float32" else f"cpu, {chosen}"


def _share(beside: int) -> int:
    """Into how many parts the processor is divided."""
    return 1 if usable_processors() == 1 else 1 + beside


def precision() -> str:
    """What the environment asks for, else float32; raises CellspanError if there is none such here."""
    wanted = os.environ.get(PRECISION_VARIABLE) or "float32"
    if wanted not in PRECISIONS:
        raise CellspanError(f"{PRECISION_VARIABLE} is '{wanted}'; it can be {' or '.join(PRECISIONS)}.")
    if wanted == "bfloat16" and "BF16" not in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise CellspanError(f"{PRECISION_VARIABLE} is 'bfloat16', which this CPU cannot compute in; unset it.")
    return wanted
