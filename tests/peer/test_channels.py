"""Networks of one and of three channels: as the real cellpose trains and runs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from cellpose import models as peer_models
from cellpose import transforms as peer_transforms
from cellpose.resnet_torch import CPnet

from cellspan.core.inference.predictor import make_predictor
from cellspan.core.models.registry import find_model
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import image_from_array
from cellspan.core.pictures.normalise import network_input

pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_input_and_outputs(tmp_path: Path, channels: int) -> None:
    torch.manual_seed(channels)
    network = CPnet([channels, 32, 64, 128, 256], 3, 3)
    with torch.no_grad():
        network.train()(torch.randn(4, channels, 64, 64) * 2 + 1)
    network.save_model(str(tmp_path / "own"))
    theirs = peer_models.CellposeModel(pretrained_model=str(tmp_path / "own"), nchan=channels, gpu=False)
    pixels = np.random.default_rng(0).integers(0, 4000, (96, 128, channels), np.uint16)

    converted = peer_transforms.convert_image(pixels, None, channel_axis=2, nchan=channels)
    planes = peer_transforms.normalize_img(converted).transpose(2, 0, 1)
    model = find_model(str(tmp_path / "own"))
    about = model.description
    ours, _ = network_input(image_from_array(pixels, "YXC"), Parameters(), about.apart, about.sees_nuclei)
    np.testing.assert_allclose(ours, planes, atol=1e-5)

    with torch.no_grad():
        outputs, style = (part.numpy() for part in theirs.net.eval()(torch.from_numpy(planes[None].copy()))[:2])
    predictor = make_predictor(model, "cpu")
    features, deepest = predictor.encode(np.ascontiguousarray(ours[None]))
    mean = deepest.mean((2, 3))
    np.testing.assert_allclose(mean / np.linalg.norm(mean), style, atol=1e-4)
    found = predictor.decode(features, style[0])
    error = np.abs(found - outputs).max() / np.ptp(outputs)
    print(f"{channels} channel(s): outputs within {error:.1e} of their range")
    assert error < 1e-3
