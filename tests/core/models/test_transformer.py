"""The sizes of Cellpose 4's network: read off its tensors, and those of the same network in torch."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.core.models.architecture import weight_count
from cellspan.core.models.transformer import Transformer, relative_positions, unfolding

from ...blob_finder import OFFICIAL, SMALL

pytestmark = pytest.mark.quick
CLASSES = SMALL.model_copy(update={"outputs": 5, "patch": 4, "channels": 2, "rows": (15, 15, 3)})


@pytest.mark.parametrize("sizes", [SMALL, CLASSES])
def test_the_shapes_are_those_of_the_network(sizes: Transformer) -> None:
    pytest.importorskip("torch")
    from cellspan.core.models.transformer_network import TransformerNetwork

    state = {name: tuple(tensor.shape) for name, tensor in TransformerNetwork(sizes).state_dict().items()}
    assert sizes.shapes == state
    assert Transformer.of(state) == sizes


def test_the_official_size() -> None:
    assert weight_count(OFFICIAL.shapes) == 304_628_928 + 2  # with both diameters
    assert (OFFICIAL.tile, OFFICIAL.heads, OFFICIAL.style_length) == (256, 16, 0)
    assert OFFICIAL.operations == pytest.approx(0.72e12, rel=0.01)
    assert OFFICIAL.memory < 3.1e9


@pytest.mark.parametrize("missing", ["W2", "encoder.pos_embed", "encoder.blocks.0.attn.rel_pos_h", "out.weight"])
def test_other_networks_are_not_recognised(missing: str) -> None:
    shapes = dict(SMALL.shapes)
    del shapes[missing]
    assert Transformer.of(shapes) is None
    assert Transformer.of(SMALL.shapes | {missing: (1,)}) is None


@pytest.mark.parametrize("rows", [1, 5, 15, 27, 127])
def test_relative_positions_are_interpolated_as_in_torch(rows: int) -> None:
    torch = pytest.importorskip("torch")
    table = np.random.default_rng(0).normal(size=(rows, 6)).astype(np.float32)
    found = relative_positions(table, 32)
    expected = torch.nn.functional.interpolate(torch.from_numpy(table.T[None]), 63, mode="linear")[0].T.numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_every_number_of_a_token_has_a_pixel_of_its_own() -> None:
    fixed = unfolding(3, 4)
    assert SMALL.problem("W2", fixed) == ""
    assert "pixel of its own" in SMALL.problem("W2", fixed[::-1])
