"""Tiles, resizing and the whole segmentation with tensors: the same as with arrays, on the CPU and, if there, CUDA."""

import numpy as np
import pytest

from cellspan.core.inference.tile_rules import TileRules
from cellspan.core.inference.tiles import predict_augmented, predict_tiled
from cellspan.core.models.registry import find_model
from cellspan.core.objects.metrics import intersection_over_union
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.resizing import resize
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.simulate import simulate_nuclei

torch = pytest.importorskip("torch")

from cellspan.core.inference.torch_predictor import TorchPredictor  # noqa: E402
from cellspan.core.inference.torch_tiles import (  # noqa: E402
    predict_augmented_torch,
    predict_tiled_torch,
    resize_torch,
)

NO_CARD = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA graphics card")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_CARD)]
BOTH = [(predict_tiled, predict_tiled_torch), (predict_augmented, predict_augmented_torch)]


class Gradient:
    """A stand-in of known answer: differences of channel 0 as flows, channel 1 times the style as probability."""

    batch, rules = 3, TileRules()

    def __init__(self, device: str) -> None:
        self.device = device

    def encode_tensors(self, tiles: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
        assert tiles.device.type == self.device
        return tiles, torch.nn.functional.avg_pool2d(tiles, 8)

    def decode_tensors(self, tiles: "torch.Tensor", style: "torch.Tensor") -> "torch.Tensor":
        assert style.device.type == self.device
        dy, dx = torch.gradient(tiles[:, 0], dim=(1, 2))
        return torch.stack([dy, dx, tiles[:, 1] * style[0]], 1)

    def encode(self, tiles: np.ndarray, beside: int = 0) -> tuple["torch.Tensor", np.ndarray]:
        features, styles = self.encode_tensors(torch.from_numpy(tiles).to(self.device))
        return features, styles.cpu().numpy()

    def decode(self, features: "torch.Tensor", style: np.ndarray, beside: int = 0) -> np.ndarray:
        return self.decode_tensors(features, torch.from_numpy(style).to(self.device)).cpu().numpy()


@pytest.mark.quick
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("with_arrays", "with_tensors"), BOTH)
@pytest.mark.parametrize("shape", [(1, 1), (17, 33), (64, 300), (150, 210)])
def test_blended_outputs_of_a_stand_in_agree(device: str, with_arrays, with_tensors, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((2, *shape), np.float32)
    ours, style = with_arrays(Gradient(device), image, 64, 0.2)
    theirs, their_style = with_tensors(Gradient(device), image, 64, 0.2)
    assert theirs.device.type == device
    assert theirs.cpu().numpy() == pytest.approx(ours, abs=1e-4)
    assert their_style == pytest.approx(style, abs=1e-4)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("with_arrays", "with_tensors"), BOTH)
def test_blended_outputs_of_the_bundled_model_agree(device: str, with_arrays, with_tensors) -> None:
    predictor = TorchPredictor(find_model("nuclei"), device)
    predictor.batch = 4
    image = np.random.default_rng(0).random((2, 80, 110), np.float32)
    ours, style = with_arrays(predictor, image, 64, 0.1)
    theirs, their_style = with_tensors(predictor, image, 64, 0.1)
    assert theirs.cpu().numpy() == pytest.approx(ours, abs=1e-4)
    assert their_style == pytest.approx(style, abs=1e-4)


@pytest.mark.quick
def test_progress_ends_at_one() -> None:
    for _, predict in BOTH:
        seen: list[float] = []
        predict(Gradient("cpu"), np.zeros((2, 300, 300), np.float32), 128, on_progress=seen.append)
        assert seen == sorted(seen)
        assert len(seen) > 2
        assert seen[-1] == 1


@pytest.mark.quick
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "target", [(60, 90), (59, 88), (30, 45), (33, 71), (1, 2), (61, 91), (170, 255), (7, 90)], ids=str
)
def test_planes_are_resized_alike(device: str, target: tuple[int, int]) -> None:
    planes = np.random.default_rng(0).random((3, 60, 90), np.float32)
    ours = resize_torch(torch.from_numpy(planes).to(device), target)
    assert ours.shape == (3, *target)
    assert ours.cpu().numpy() == pytest.approx(resize(planes, target), abs=1e-4)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "options",
    [{"diameter": 17}, {}, {"diameter": 30, "resample": False}, {"diameter": 11, "augment": True, "tile": 192}],
    ids=str,
)
def test_a_whole_segmentation_finds_the_same(device: str, options: dict) -> None:
    image = simulate_nuclei((150, 200), coverage=0.3, seed=4).image
    parameters = Parameters(model="nuclei", **options)
    ours = Segmenter("nuclei", "cpu")
    theirs = Segmenter("nuclei", "cpu")
    theirs.predictor = TorchPredictor(theirs.model, device)
    seen: list[float] = []
    expected = ours.segment(image, parameters)
    result = theirs.segment(image, parameters, lambda part, message: seen.append(part))
    assert expected.count > 5
    assert result.count == expected.count
    assert intersection_over_union(expected.labels, result.labels).max(1).min() >= 0.9
    assert result.device == device
    assert result.flows.shape == (2, 150, 200)
    assert result.flows.dtype == result.probability.dtype == np.float32
    assert np.abs(result.flows - expected.flows).mean() < 0.02
    assert result.diameter == pytest.approx(expected.diameter, rel=0.02)
    assert seen[-1] == 1


@pytest.mark.quick
def test_an_empty_image_has_no_objects() -> None:
    segmenter = Segmenter("nuclei", "cpu")
    segmenter.predictor = TorchPredictor(segmenter.model, "cpu")
    result = segmenter.segment(np.zeros((40, 50), np.uint8))
    assert result.count == 0
    assert result.labels.shape == result.probability.shape == (40, 50)
