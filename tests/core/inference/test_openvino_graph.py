"""The OpenVINO graph and the torch network are the same maths."""

from __future__ import annotations

import numpy as np
import openvino
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.inference.openvino_graph import build_decoder, build_encoder

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("widths", [(2, 16, 32, 48, 64), (2, 32, 64, 128, 256)])
def test_openvino_agrees_with_torch_for_random_weights(widths: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    from cellspan.core.models.network import FlowNetwork

    torch.manual_seed(0)
    network = FlowNetwork(widths)
    with torch.no_grad():
        network.train()(torch.randn(4, 2, 64, 64) * 2 + 1)  # running means and variances that are not 0 and 1
        network.eval()
        images = torch.randn(1, 2, 64, 96)
        outputs, style = (value.numpy() for value in network(images))
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    features = run(build_encoder(state, 64, 96), [images.numpy()])
    found_style = style_of(features[-1])
    [found] = run(build_decoder(state, 64, 96), [*features, found_style])
    assert np.abs(found - outputs).max() < 1e-3 * np.ptp(outputs)
    assert np.abs(found_style - style).max() < 1e-3


def style_of(deepest: np.ndarray) -> np.ndarray:
    mean = deepest.mean((2, 3))
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def run(graph: openvino.Model, inputs: list[np.ndarray]) -> list[np.ndarray]:
    compiled = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return list(compiled(inputs).to_tuple())


def test_missing_weights_are_named() -> None:
    with pytest.raises(CellspanError, match="lack"):
        build_encoder({"other": np.zeros(3)}, 64, 64)
