"""The network on a torch device: the outputs of the CPU's, in full precision."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.core.inference.predictor import make_predictor
from cellspan.core.models.registry import find_model

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.quick


def style_of(deepest: np.ndarray) -> np.ndarray:
    mean = deepest.mean((2, 3))
    return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def test_both_predictors_of_the_bundled_model_agree() -> None:
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


def test_tf32_is_off_only_while_the_network_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from cellspan.core.inference.torch_predictor import TorchPredictor

    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    predictor = TorchPredictor(find_model("nuclei"), "cpu")
    seen = []
    for part in (predictor._network.downsample, predictor._network.output):
        part.register_forward_hook(lambda *_: seen.append(torch.backends.cudnn.allow_tf32))
    features, deepest = predictor.encode(np.zeros((1, 2, 32, 32), np.float32))
    predictor.decode(features, np.ones(deepest.shape[1], np.float32))
    assert seen == [False, False]
    assert torch.backends.cudnn.allow_tf32
