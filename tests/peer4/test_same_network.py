"""The same network, channels, tiles and labels as cellpose 4, from the same weights.

Its class builds the official size only, so the encoder that it asks segment_anything for is a small one, of the same
class. `CELLSPAN_FULL_SIZE=1` compares the official size too (3 GB of memory, a minute).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cellpose import models as peer_models
from cellpose import vit as peer_vit
from segment_anything import sam_model_registry
from segment_anything.modeling import ImageEncoderViT

from cellspan.core import Parameters, Segmenter
from cellspan.core.dynamics.flows import labels_to_flows
from cellspan.core.models.importing import export_checkpoint, import_model
from cellspan.core.models.registry import Model, find_model
from cellspan.core.models.transformer import Transformer
from cellspan.core.models.transformer_network import TransformerNetwork
from cellspan.core.objects.labels import Labels
from cellspan.core.objects.metrics import average_precision, best_overlaps
from cellspan.core.pictures.images import Floats
from cellspan.core.training.simulate import simulate_nuclei

from ..blob_finder import OFFICIAL_ROWS, State, blob_finder, reader, save_state

pytestmark = pytest.mark.filterwarnings("default")  # cellpose, and what it loads, are not ours to mend
CPU = torch.device("cpu")
FULL_SIZE = pytest.mark.skipif(os.environ.get("CELLSPAN_FULL_SIZE") != "1", reason="CELLSPAN_FULL_SIZE is not 1")
ALIKE = 0.9  # IoU of two objects that are the same


def small_encoder(checkpoint: None) -> SimpleNamespace:
    """What their class asks for, but with 4 blocks of 256 numbers; blocks 1 and 3 look at all of an image."""
    norm = partial(torch.nn.LayerNorm, eps=1e-6)
    encoder = ImageEncoderViT(
        depth=4,
        embed_dim=256,
        num_heads=4,
        norm_layer=norm,
        use_rel_pos=True,
        window_size=14,
        global_attn_indexes=(1, 3),
        out_chans=256,
    )
    return SimpleNamespace(image_encoder=encoder)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their networks are small."""
    monkeypatch.setitem(sam_model_registry, "vit_l", small_encoder)


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("registry", "importing"):
        monkeypatch.setattr(f"cellspan.core.models.{module}.user_models", lambda: tmp_path / "user models")


def random_network(seed: int = 0) -> peer_vit.CPSAM:
    """Theirs, with random numbers also where a new network has 0 or 1."""
    torch.manual_seed(seed)
    network = peer_vit.CPSAM().eval()
    for name, tensor in network.named_parameters():
        if "_pos" in name:
            torch.nn.init.normal_(tensor, std=0.3)
        elif "norm" in name or ".neck.1" in name or ".neck.3" in name:
            torch.nn.init.normal_(tensor, 1, 0.2)
    return network


def saved(network: torch.nn.Module, path: Path, prefix: str = "") -> Path:
    torch.save({prefix + name: tensor for name, tensor in network.state_dict().items()}, path)
    return path


def assert_same_outputs(theirs: peer_vit.CPSAM, file: Path) -> None:
    """Of a tile, in torch and in OpenVINO."""
    tile = torch.randn(1, 3, 256, 256)
    with torch.no_grad():
        expected = theirs(tile)[0].numpy()
    del theirs
    model = find_model(str(file))
    predictor = Segmenter(model, "cpu").predictor
    assert np.abs(predictor.encode(tile.numpy())[0] - expected).max() < 1e-5 * np.ptp(expected)
    del predictor
    assert model.description.transformer is not None
    with torch.device("meta"):
        ours = TransformerNetwork(model.description.transformer)
    state = {name: torch.from_numpy(array) for name, array in model.weights().items()}
    ours.load_state_dict(state, assign=True)
    with torch.no_grad():
        assert np.abs(ours.eval()(tile).numpy() - expected).max() < 1e-5 * np.ptp(expected)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("prefix", ["", "module."])
def test_network_with_random_weights(tmp_path: Path, prefix: str) -> None:
    theirs = random_network()
    assert_same_outputs(theirs, saved(theirs, tmp_path / "random", prefix))


@FULL_SIZE
def test_network_of_the_official_size(tmp_path: Path) -> None:
    theirs = random_network()
    file = saved(theirs, tmp_path / "cpsam")
    model = find_model(str(file))
    assert model.description.transformer is not None
    assert model.description.transformer.rows == OFFICIAL_ROWS
    assert_same_outputs(theirs, file)


@pytest.mark.usefixtures("small")
def test_their_checkpoint_comes_in_and_ours_goes_out(tmp_path: Path) -> None:
    theirs = random_network()
    model = import_model(saved(theirs, tmp_path / "mine"))
    export_checkpoint(model, tmp_path / "out")
    again = random_network(seed=1)
    again.load_model(tmp_path / "out", CPU, strict=True)
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


def both(file: Path, make: Callable[[Transformer], State]) -> tuple[Model, peer_models.CellposeModel]:
    """Weights that find objects, in ours and in theirs."""
    sizes = Transformer.of({name: tuple(tensor.shape) for name, tensor in peer_vit.CPSAM().state_dict().items()})
    assert sizes is not None
    save_state(file, make(sizes))
    return find_model(str(file)), peer_models.CellposeModel(device=CPU, pretrained_model=str(file), use_bfloat16=False)


def flows_to_read(shape: tuple[int, int]) -> tuple[Floats, Labels]:
    """Simulated nuclei as three channels for the network that reads flows, not quite clean; and their labels."""
    labels = simulate_nuclei(shape, diameter=18, seed=0).labels
    noise = np.random.default_rng(0).normal(0, 0.03, (3, *shape))
    pixels = np.stack([*(0.5 + labels_to_flows(labels) / 2), labels > 0]) + noise
    return pixels.astype(np.float32), labels


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("shape", "options", "peer"),
    [
        ((256, 256), {}, {}),
        ((512, 512), {}, {}),
        ((300, 520), {"cellprob_threshold": -1.0}, {"cellprob_threshold": -1.0}),
        ((300, 300), {"diameter": 22.0}, {"diameter": 22.0}),
        ((300, 300), {"diameter": 40.0}, {"diameter": 40.0}),
        ((300, 300), {"flow_threshold": 0.0, "min_size": 40}, {"flow_threshold": 0.0, "min_size": 40}),
        ((512, 512), {"normalize": (3, 97)}, {"normalize": {"percentile": (3, 97)}}),
    ],
)
def test_labels(tmp_path: Path, shape: tuple[int, int], options: dict, peer: dict) -> None:
    model, theirs = both(tmp_path / "reader", reader)
    pixels, true = flows_to_read(shape)
    expected = theirs.eval(pixels.copy(), channel_axis=0, **peer)[0]  # it changes its input
    ours = Segmenter(model, "cpu").segment(pixels, Parameters(**options))
    overlaps = best_overlaps(expected.astype(np.int32), ours.labels)
    found = average_precision(true, ours.labels, (0.5,))[0]
    print(f"{shape} {options}: {len(overlaps)} objects, {np.mean(overlaps >= ALIKE):.3f} alike, AP@0.5 {found:.2f}")
    assert expected.max() > 20
    assert np.mean(overlaps >= ALIKE) >= 0.99
    assert np.mean(best_overlaps(ours.labels, expected.astype(np.int32)) >= ALIKE) >= 0.99


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("channels", "shape", "options", "peer"),
    [
        (1, (200, 200), {}, {}),
        (1, (200, 300), {"invert": True}, {"normalize": {"invert": True}}),
        (2, (300, 200), {}, {}),
        (3, (290, 200), {"augment": True}, {"augment": True}),
    ],
)
def test_outputs_of_images_with_fewer_channels(
    tmp_path: Path, channels: int, shape: tuple[int, int], options: dict, peer: dict
) -> None:
    model, theirs = both(tmp_path / "blobs", blob_finder)
    pixels = np.stack([simulate_nuclei(shape, 18, seed=seed).image for seed in range(channels)]).astype(np.float32)
    _, flows, _ = theirs.eval(pixels.copy(), channel_axis=0, **peer)
    ours = Segmenter(model, "cpu").segment(pixels, Parameters(**options))
    # Where tiles overlap, they are blended with other weights, and near their edges the network sees black.
    assert np.quantile(np.abs(ours.probability - flows[2]), 0.6) < 0.01 * np.ptp(flows[2])
    assert np.corrcoef(ours.flows.ravel(), flows[1].ravel())[0, 1] > 0.99
