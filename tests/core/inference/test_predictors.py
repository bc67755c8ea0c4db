"""The OpenVINO graph and the torch network are the same maths; devices are checked."""

import numpy as np
import openvino
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.inference.openvino_graph import build_decoder, build_encoder
from cellspan.core.inference.openvino_predictor import PRECISION_VARIABLE
from cellspan.core.inference.predictor import make_predictor, resolve_device
from cellspan.core.models.registry import find_model

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


def test_both_predictors_of_the_bundled_model_agree() -> None:
    pytest.importorskip("torch")
    from cellspan.core.inference.torch_predictor import TorchPredictor

    model = find_model("nuclei")
    tiles = np.random.default_rng(0).random((2, 2, 64, 64), np.float32)
    ours, theirs = make_predictor(model, "cpu"), TorchPredictor(model, "cpu")
    features, deepest = ours.encode(tiles)
    their_features, their_deepest = theirs.encode(tiles)
    style = style_of(deepest)[0]
    outputs, their_outputs = ours.decode(features, style), theirs.decode(their_features, style)
    assert np.abs(outputs - their_outputs).max() < 1e-3 * np.ptp(their_outputs)
    assert np.abs(style - style_of(their_deepest)[0]).max() < 1e-3


def test_unknown_devices_and_missing_weights_are_named() -> None:
    with pytest.raises(CellspanError, match="no device 'tpu'"):
        resolve_device("tpu")
    with pytest.raises(CellspanError, match=r"cuda:77.*not available|needs torch"):
        resolve_device("cuda:77")
    with pytest.raises(CellspanError, match="lack"):
        build_encoder({"other": np.zeros(3)}, 64, 64)
    assert resolve_device("cpu") == "cpu"


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
