"""Restored images: the same as of the real cellpose 3.1.1.2 with the same random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from cellpose import denoise
from cellpose.resnet_torch import CPnet

from cellspan.core.models.official import OFFICIAL
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image
from cellspan.core.planes.restoring import Restorer

pytestmark = pytest.mark.filterwarnings("default")
NAMES = ("denoise_cyto3", "denoise_nuclei", "upsample_cyto3", "deblur_nuclei")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks of full size whose running statistics are not 0 and 1."""
    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(NAMES):
        torch.manual_seed(seed)
        network = CPnet([1, 32, 64, 128, 256], 1, 3)
        with torch.no_grad():
            network.train()(torch.randn(4, 1, 64, 64) * 0.3 + 0.5)
        network.save_model(str(folder / name))
    return folder


@pytest.fixture(autouse=True)
def models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(folder))
    monkeypatch.setattr(denoise, "MODEL_DIR", folder, raising=False)
    monkeypatch.setattr("cellpose.models.MODEL_DIR", folder)


def picture(shape: tuple[int, int]) -> np.ndarray:
    """Two channels (2, Y, X): blobs under noise, brighter on one side."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    blobs = 2000 * (np.sin(y / 7) * np.sin(x / 9) > 0.3) + 1500 * (x > shape[1] // 2)
    plane = np.random.default_rng(0).integers(0, 800, shape) + blobs
    return np.stack([plane, plane[::-1]]).astype(np.uint16)


def compare(name: str, shape: tuple[int, int], diameter: float | None) -> np.ndarray:
    """Differences of one channel in parts of the range of theirs."""
    pixels = picture(shape)
    theirs = denoise.DenoiseModel(model_type=name, gpu=False).eval(pixels[0].copy(), channels=[0, 0], diameter=diameter)
    ours = Restorer(name, "cpu").restored(Image(pixels[:1]), Parameters(), diameter, lambda part, words: None)
    assert ours.pixels[0].shape == theirs.shape[:2]
    difference: np.ndarray = np.abs(ours.pixels[0] - theirs[..., 0]) / np.ptp(theirs)
    print(f"{name}, {shape}, diameter {diameter}: at most {difference.max():.1e}, mean {difference.mean():.1e}")
    return difference


@pytest.mark.parametrize(
    ("name", "shape", "diameter"),
    [
        ("denoise_cyto3", (200, 180), 30.0),
        ("denoise_cyto3", (100, 90), 22.0),
        ("denoise_cyto3", (150, 206), 41.0),  # made smaller
        ("denoise_cyto3", (200, 180), None),
        ("deblur_nuclei", (200, 180), 20.0),
        ("upsample_cyto3", (60, 50), 20.0),
        ("upsample_cyto3", (120, 100), 34.0),
    ],
)
def test_one_tile(name: str, shape: tuple[int, int], diameter: float | None) -> None:
    assert compare(name, shape, diameter).max() < 1e-3


def test_nuclei_at_a_size_of_their_own() -> None:
    """Theirs for the second channel is never used (they give the first one's instead), so it is called by itself."""
    pixels = picture((90, 100))
    parameters = Parameters(channel=0, nuclei_channel=1)
    ours = Restorer("denoise_cyto3", "cpu").restored(Image(pixels), parameters, 30.0, lambda part, words: None)
    first = denoise.DenoiseModel(model_type="denoise_cyto3", gpu=False)
    theirs = first.eval(pixels.transpose(1, 2, 0).copy(), channels=[1, 2], channel_axis=2, diameter=30.0)
    assert np.abs(ours.pixels[0] - theirs[..., 0]).max() < 1e-3 * np.ptp(theirs[..., 0])
    second = denoise.DenoiseModel(model_type="denoise_nuclei", gpu=False)
    nuclei = second._eval(second.net, pixels[1][None, ..., None].astype(np.float32), rescale=30 / 17)[0, ..., 0]
    assert np.abs(ours.pixels[1] - nuclei).max() < 1e-3 * np.ptp(nuclei)


def test_larger_images_have_one_style() -> None:
    """Theirs has one for each tile; with random weights that shows, and how much is told in docs/models.md."""
    for shape in ((512, 512), (700, 900)):
        difference = compare("denoise_cyto3", shape, 30.0)
        assert difference.mean() < 0.02
        assert difference.max() < 0.3


def test_every_name_is_known() -> None:
    restoring = {name for name, model in OFFICIAL.items() if model.kind == "restoration"}
    assert restoring == set(denoise.MODEL_NAMES)
