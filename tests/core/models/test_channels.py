"""Networks with other channels than two: checkpoints that people trained, from the file to the result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.inference.predictor import make_predictor
from cellspan.core.inference.tiles import predict_tiled
from cellspan.core.models.description import load_model
from cellspan.core.models.importing import import_model
from cellspan.core.models.registry import find_model
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.normalise import normalise
from cellspan.core.pictures.volume import Volume
from cellspan.core.planes.result import Result
from cellspan.core.segmenter import Segmenter

pytest.importorskip("torch")
pytestmark = pytest.mark.quick
Save = Callable[..., Path]
PIXELS = np.random.default_rng(0).integers(0, 4000, (3, 72, 88), np.uint16)
AS_IT_IS = {"diameter": 28.0, "min_size": 0}  # the mean diameter of these networks


def scaled(plane: np.ndarray) -> np.ndarray:
    return normalise(plane, Parameters())[0]


def segmented(file: Path, image: Image, **options: object) -> Result:
    return Segmenter(str(file), "cpu").segment(image, Parameters(model=str(file), **AS_IT_IS, **options))


def probability(file: Path, *planes: np.ndarray) -> np.ndarray:
    """What the network itself says of channels in this order."""
    outputs, _ = predict_tiled(make_predictor(find_model(str(file)), "cpu"), np.stack(planes))
    return outputs[2]


@pytest.mark.parametrize(
    ("chosen", "seen"),
    [({}, (0, 1, 2)), ({"channel": (2, 0)}, (2, 0, None)), ({"channel": 1, "nuclei_channel": 0}, (1, 0, None))],
)
def test_a_network_of_three_channels_sees_each_by_itself(
    tmp_path: Path, save_checkpoint: Save, chosen: dict[str, object], seen: tuple[int | None, ...]
) -> None:
    file = save_checkpoint(tmp_path / "colour", (3, 4, 8))
    found = segmented(file, Image(PIXELS), **chosen)
    nothing = np.zeros(PIXELS.shape[1:], np.float32)
    planes = [nothing if channel is None else scaled(PIXELS[channel]) for channel in seen]
    np.testing.assert_allclose(found.probability, probability(file, *planes), atol=1e-5)


def test_a_network_of_three_channels_and_colours_or_grey(tmp_path: Path, save_checkpoint: Save) -> None:
    file = save_checkpoint(tmp_path / "colour", (3, 4, 8))
    of_colours = segmented(file, Image(PIXELS, is_rgb=True))
    np.testing.assert_array_equal(of_colours.probability, segmented(file, Image(PIXELS)).probability)
    nothing = np.zeros(PIXELS.shape[1:], np.float32)
    grey = segmented(file, Image(PIXELS[:1]))
    np.testing.assert_allclose(grey.probability, probability(file, scaled(PIXELS[0]), nothing, nothing), atol=1e-5)


def test_a_network_of_one_channel(tmp_path: Path, save_checkpoint: Save) -> None:
    file = save_checkpoint(tmp_path / "grey", (1, 4, 8))
    found = segmented(file, Image(PIXELS), channel=2)
    np.testing.assert_allclose(found.probability, probability(file, scaled(PIXELS[2])), atol=1e-5)
    with pytest.raises(CellspanError, match="nuclei_channel = 1: this model sees one channel only"):
        segmented(file, Image(PIXELS), nuclei_channel=1)


@pytest.mark.parametrize("channels", [1, 3])
def test_both_predictors_agree(tmp_path: Path, save_checkpoint: Save, channels: int) -> None:
    from cellspan.core.inference.torch_predictor import TorchPredictor

    model = find_model(str(save_checkpoint(tmp_path / "own", (channels, 4, 8))))
    tiles = np.random.default_rng(0).random((2, channels, 64, 64), np.float32)
    outputs = []
    for predictor in (make_predictor(model, "cpu"), TorchPredictor(model, "cpu")):
        features, deepest = predictor.encode(tiles)
        style = deepest.mean((0, 2, 3))
        outputs.append(predictor.decode(features, style / np.linalg.norm(style)))
    assert np.abs(outputs[0] - outputs[1]).max() < 1e-3 * np.ptp(outputs[1])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("options", [{"do_3d": True}, {"stitch_threshold": 0.3}])
def test_volumes(tmp_path: Path, save_checkpoint: Save, channels: int, options: dict[str, object]) -> None:
    file = save_checkpoint(tmp_path / "own", (channels, 4, 8))
    parameters = Parameters(model=str(file), min_size=0, **options)
    pixels = np.random.default_rng(1).integers(0, 4000, (channels, 6, 40, 48), np.uint16)
    segmenter = Segmenter(str(file), "cpu")
    found, turned = (segmenter.segment(Volume(order), parameters) for order in (pixels, pixels[::-1].copy()))
    assert found.probability.shape == (6, 40, 48)
    assert np.array_equal(found.probability, turned.probability) == (channels == 1), "the order of channels counts"


def test_the_diameter_of_its_training_images_is_the_first_guess(tmp_path: Path, save_checkpoint: Save) -> None:
    torch = pytest.importorskip("torch")
    file = save_checkpoint(tmp_path / "own")
    state = torch.load(file, weights_only=True)
    torch.save({**state, "diam_labels": torch.tensor([45.5])}, file)
    assert find_model(str(file)).description.usual_diameter == 45.5
    found = Segmenter(str(file), "cpu").segment(Image(PIXELS[:1]), Parameters(model=str(file)))
    assert any("that of its training images, 45.5 pixels, is taken" in note for note in found.notes)
    assert load_model(import_model(file, "own").folder).description.usual_diameter == 45.5


def test_networks_of_more_channels_than_images_have_are_refused(tmp_path: Path, save_checkpoint: Save) -> None:
    with pytest.raises(CellspanError, match="this network has 9 input channels, more than 8"):
        find_model(str(save_checkpoint(tmp_path / "many", (9, 4, 8))))


def test_they_cannot_be_trained_further(tmp_path: Path, save_checkpoint: Save) -> None:
    from cellspan.core.training.recipe import Recipe

    with pytest.raises(CellspanError, match=r"colour: this network has 3 input channel\(s\)"):
        Recipe.fine_tuning(find_model(str(save_checkpoint(tmp_path / "colour", (3, 4, 8)))), name="own")
