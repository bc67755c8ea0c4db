"""The network on the CPU: its precision, and the same numbers on half of the processor."""

from __future__ import annotations

import numpy as np
import openvino
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.inference.openvino_predictor import PRECISION_VARIABLE
from cellspan.core.inference.predictor import make_predictor
from cellspan.core.models.registry import find_model

pytestmark = pytest.mark.quick


def test_the_precision_is_float32_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    model = find_model("nuclei")
    monkeypatch.delenv(PRECISION_VARIABLE, raising=False)
    assert make_predictor(model, "cpu").device == "cpu"
    monkeypatch.setenv(PRECISION_VARIABLE, "half")
    with pytest.raises(CellspanError, match="float32 or bfloat16"):
        make_predictor(model, "cpu")
    monkeypatch.setenv(PRECISION_VARIABLE, "bfloat16")
    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        assert make_predictor(model, "cpu").device == "cpu, bfloat16"
    else:
        with pytest.raises(CellspanError, match="this CPU cannot"):
            make_predictor(model, "cpu")


def test_half_of_the_processor_gives_the_same_numbers() -> None:
    """Two images at once have half of it each: their labels must not depend on who else is there."""
    predictor = make_predictor(find_model("nuclei"), "cpu")
    tile = np.random.default_rng(0).random((1, 2, 192, 256), np.float32)
    outputs = []
    for beside in (0, 1):
        features, deepest = predictor.encode(tile, beside)
        style = deepest.mean((0, 2, 3))
        outputs.append(predictor.decode(features, style / np.linalg.norm(style), beside))
    assert np.array_equal(outputs[0], outputs[1])
