"""Cellpose 4's network without torch: the same numbers as in torch, from random weights."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.core.inference.openvino_predictor import compiled
from cellspan.core.inference.transformer_graph import build_transformer
from cellspan.core.models.transformer import Transformer

from ...blob_finder import SMALL

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.quick
CLASSES = SMALL.model_copy(update={"outputs": 5, "channels": 2, "head": 64, "rows": (15, 3, 15)})


@pytest.mark.parametrize("sizes", [SMALL, CLASSES])
def test_openvino_agrees_with_torch_for_random_weights(sizes: Transformer) -> None:
    from cellspan.core.models.transformer_network import TransformerNetwork

    torch.manual_seed(0)
    network = TransformerNetwork(sizes).eval()
    for name, tensor in network.named_parameters():
        if "_pos" in name:
            torch.nn.init.normal_(tensor, std=0.3)
        elif "norm" in name or ".neck.1" in name or ".neck.3" in name:
            torch.nn.init.normal_(tensor, 1, 0.2)
    tile = torch.randn(1, sizes.channels, sizes.tile, sizes.tile)
    with torch.no_grad():
        expected = network(tile).numpy()
    state = {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}
    graph = compiled(build_transformer(state, sizes))
    found = graph({0: tile.numpy()})[0]
    assert found.shape == (1, 3, sizes.tile, sizes.tile)
    assert np.abs(found - expected).max() < 1e-5 * np.ptp(expected)
