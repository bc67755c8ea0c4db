"""Cellpose 4's network on a torch device gives what it gives on the processor."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.core.inference.predictor import make_predictor
from cellspan.core.inference.tiles import predict_augmented, predict_tiled
from cellspan.core.models.registry import Model, find_model

from ...blob_finder import save_blob_finder

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.quick
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA card"))]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return find_model(str(save_blob_finder(tmp_path_factory.mktemp("models") / "blobs")))


@pytest.mark.parametrize("device", DEVICES)
def test_a_torch_device_gives_the_same(model: Model, device: str) -> None:
    from cellspan.core.inference.torch_tiles import predict_augmented_torch, predict_tiled_torch
    from cellspan.core.inference.torch_transformer import TorchTransformer

    image = np.random.default_rng(0).random((3, 70, 100), np.float32)
    on_cpu, on_device = make_predictor(model, "cpu"), TorchTransformer(model, device)
    for ours, theirs in ((predict_tiled, predict_tiled_torch), (predict_augmented, predict_augmented_torch)):
        expected, _ = ours(on_cpu, image)
        found, style = theirs(on_device, image)
        assert style.shape == (0,)
        # 16 bits on a card that has them
        assert np.abs(found.cpu().numpy() - expected).max() < (1e-5 if device == "cpu" else 0.05) * np.ptp(expected)


def test_bfloat16_finds_the_same_objects(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    from cellspan.core.inference import torch_transformer
    from cellspan.core.inference.torch_transformer import TorchTransformer

    monkeypatch.setattr(torch_transformer, "number_type", lambda device: torch.bfloat16)
    tiles = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    found, _ = TorchTransformer(model, "cpu").encode(tiles)
    expected, _ = make_predictor(model, "cpu").encode(tiles)
    assert found.dtype == torch.float32
    assert np.abs(found.numpy() - expected).max() < 0.1 * np.ptp(expected)
