"""Restoring: which network sees which channel, how large, and how the objects are looked for afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.inference.predictor import make_predictor
from cellspan.core.models.importing import import_model
from cellspan.core.models.registry import find_model
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Floats, Image
from cellspan.core.pictures.normalise import CONSTANT, normalise
from cellspan.core.planes import restoring
from cellspan.core.planes.restoring import Restorer, find_restoring
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.simulate import simulate_nuclei

pytestmark = [pytest.mark.quick, pytest.mark.usefixtures("restoring_models")]
PIXELS = np.random.default_rng(0).integers(0, 4000, (3, 72, 88), np.uint16)


def silent(part: float, words: str) -> None:
    """Progress that is not shown."""


def network(name: str, plane: Floats, factor: float = 1.0) -> Floats:
    """What one network makes of a normalised plane."""
    return Restorer(name, "cpu").network.restored(plane, factor, lambda part: None)


def scaled(plane: np.ndarray) -> Floats:
    return normalise(plane, Parameters())[0]


def test_one_channel_at_the_mean_diameter() -> None:
    found = Restorer("denoise_cyto3", "cpu").restored(Image(PIXELS), Parameters(channel=2), 30.0, silent)
    assert found.image.channels.dtype == np.float32
    np.testing.assert_array_equal(found.pixels, network("denoise_cyto3", scaled(PIXELS[2]))[None])
    assert found.parameters == Parameters(channel=0)
    assert found.notes == []
    assert found.sha256 == find_model("denoise_cyto3").sha256


def test_the_network_alone_is_what_was_saved() -> None:
    torch = pytest.importorskip("torch")
    from cellspan.core.models.network import FlowNetwork

    model = find_model("denoise_cyto3")
    flow = FlowNetwork(model.description.widths, outputs=1).eval()
    flow.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in model.weights().items()})
    plane = scaled(PIXELS[0])
    padded = np.pad(plane, ((12, 12), (12, 12)))  # in the middle of a tile of whole multiples of 16, at least 8 black
    with torch.inference_mode():
        expected = flow(torch.from_numpy(padded[None, None]))[0][0, 0, 12:-12, 12:-12].numpy()
    np.testing.assert_allclose(network("denoise_cyto3", plane), expected, atol=1e-5)


def test_both_predictors_agree() -> None:
    pytest.importorskip("torch")
    from cellspan.core.inference.torch_predictor import TorchPredictor

    model = find_model("denoise_cyto3")
    plane = scaled(np.random.default_rng(1).integers(0, 4000, (600, 700), np.uint16))
    ours = network("denoise_cyto3", plane)
    theirs = restoring._Network(model, TorchPredictor(model, "cpu")).restored(plane, 1.0, lambda part: None)
    assert np.abs(ours - theirs).max() < 1e-3 * np.ptp(theirs)


def test_the_image_is_resized_to_the_mean_diameter_and_back() -> None:
    found = Restorer("denoise_cyto3", "cpu").restored(Image(PIXELS[:1]), Parameters(), 20.0, silent)
    np.testing.assert_array_equal(found.pixels[0], network("denoise_cyto3", scaled(PIXELS[0]), 1.5))
    assert found.image.shape == PIXELS.shape[1:]


def test_nuclei_have_a_network_and_a_size_of_their_own() -> None:
    parameters = Parameters(channel=1, nuclei_channel=0)
    found = Restorer("denoise_cyto3", "cpu").restored(Image(PIXELS), parameters, 30.0, silent)
    np.testing.assert_array_equal(found.pixels[0], network("denoise_cyto3", scaled(PIXELS[1])))
    np.testing.assert_array_equal(found.pixels[1], network("denoise_nuclei", scaled(PIXELS[0]), 30 / 17))
    assert found.parameters == Parameters(channel=0, nuclei_channel=1)


def test_a_missing_network_for_nuclei_is_asked_for(restoring_models: Path, tmp_path: Path) -> None:
    restorer = Restorer("upsample_cyto3", "cpu")
    with pytest.raises(CellspanError, match=r"no model 'upsample_nuclei'.*cellspan models fetch upsample_nuclei"):
        restorer.restored(Image(PIXELS), Parameters(channel=1, nuclei_channel=0), 30.0, silent)
    own = tmp_path / "own"
    own.write_bytes((restoring_models / "denoise_cyto3").read_bytes())
    found = Restorer(str(own), "cpu").restored(Image(PIXELS), Parameters(channel=1, nuclei_channel=0), 30.0, silent)
    np.testing.assert_array_equal(found.pixels[1], network("denoise_cyto3", scaled(PIXELS[0]), 30 / 17))


def test_several_channels_and_colours() -> None:
    restorer = Restorer("denoise_cyto3", "cpu")
    found = restorer.restored(Image(PIXELS), Parameters(channel=(2, 0), combine="maximum"), 30.0, silent)
    assert found.parameters == Parameters(channel=(0, 1), combine="maximum")
    np.testing.assert_array_equal(found.pixels[1], network("denoise_cyto3", scaled(PIXELS[0])))
    apart = restorer.restored(Image(PIXELS, is_rgb=True), Parameters(), 30.0, silent, apart=3)
    assert (apart.pixels.shape, apart.image.is_rgb) == (PIXELS.shape, False)
    assert len(restorer.restored(Image(PIXELS, is_rgb=True), Parameters(), 30.0, silent).pixels) == 1


def test_scaling_is_done_once() -> None:
    restorer = Restorer("denoise_cyto3", "cpu")
    given = Parameters(limits=(0.0, 4000.0), invert=True, tile_norm=0)
    found = restorer.restored(Image(PIXELS[:1]), given, 30.0, silent)
    np.testing.assert_array_equal(
        found.pixels[0], network("denoise_cyto3", normalise(PIXELS[0], given, None, (0, 4000))[0])
    )
    assert found.parameters == Parameters(channel=0, normalize=None)
    sharp = restorer.restored(Image(PIXELS[:1]), Parameters(sharpen=5.0, normalize=(2.0, 98.0)), 30.0, silent)
    assert sharp.parameters == Parameters(channel=0, normalize=(2.0, 98.0))


@pytest.mark.parametrize(("diameter", "ratio"), [(20.0, 1.5), (30.0, 1.0), (45.0, 1.0), (2.5, 1.0), (None, 1.0)])
def test_coarse_images_of_small_objects_are_enlarged(diameter: float | None, ratio: float) -> None:
    restorer = Restorer("upsample_cyto3", "cpu")
    assert restorer.enlargement(diameter) == ratio
    assert Restorer("denoise_cyto3", "cpu").enlargement(diameter) == 1
    image = Image(PIXELS[:1, :40, :40], spacing=(0.3, 0.6))
    if diameter in (20.0, 45.0):
        found = restorer.restored(image, Parameters(), diameter, silent)
        assert found.image.shape == (40 * ratio, 40 * ratio)
        assert found.image.spacing == (0.3 / ratio, 0.6 / ratio)


def test_constant_channels_stay_and_masks_hold() -> None:
    flat = np.full((1, 40, 50), 7, np.uint8)
    found = Restorer("denoise_cyto3", "cpu").restored(Image(flat), Parameters(), 30.0, silent)
    assert not found.pixels.any()
    assert CONSTANT in found.notes
    mask = np.zeros((72, 88), bool)
    mask[10:50, 20:60] = True
    masked = Restorer("upsample_cyto3", "cpu").restored(Image(PIXELS[:1], mask=mask), Parameters(), 15.0, silent)
    assert masked.image.mask is not None
    assert masked.image.mask.shape == (144, 176)
    assert masked.image.mask.sum() == pytest.approx(4 * mask.sum(), rel=0.05)


def test_what_is_no_model_of_this_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match=r"nuclei finds nuclei and restores no images.*denoise_cyto3"):
        find_restoring("nuclei")
    with pytest.raises(
        CellspanError, match=r"denoise_cyto3 restores images and finds no objects.*--restore denoise_cyto3"
    ):
        Segmenter("denoise_cyto3", "cpu")
    with pytest.raises(CellspanError, match=r"no model 'deblur_cyto3'.*cellspan models fetch deblur_cyto3"):
        find_restoring("deblur_cyto3")


def test_an_imported_model_keeps_its_kind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, restoring_models: Path
) -> None:
    for module in ("registry", "importing"):
        monkeypatch.setattr(f"cellspan.core.models.{module}.user_models", lambda: tmp_path / "own")
    model = import_model(restoring_models / "upsample_cyto3", "finer")
    assert (model.description.kind, model.description.mean_diameter) == ("restoration", 30)
    assert Restorer("finer", "cpu").enlargement(15.0) == 2, "it is still known to be one that enlarges"
    assert len(make_predictor(model, "cpu").rules.__dict__) > 0


def test_networks_are_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "_KEPT", {})
    first, second = Restorer("denoise_cyto3", "cpu"), Restorer("denoise_cyto3", "cpu")
    assert first.predictor is second.predictor
    assert Restorer("denoise_cyto3", "cpu", batch=1).predictor.batch == 1
    monkeypatch.setattr(restoring, "MOST_KEPT", 1)
    Restorer("denoise_nuclei", "cpu")
    assert Restorer("denoise_cyto3", "cpu").predictor is not first.predictor


@pytest.fixture(scope="module")
def field() -> Image:
    return Image(simulate_nuclei((120, 150), 20, coverage=0.3, seed=1).image[None].astype(np.uint16))


def as_it_is(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """Let networks that restore give back what they see; the list of which, and how large."""
    seen: list[tuple[str, float]] = []

    def restored(self: restoring._Network, plane: Floats, factor: float, report: object) -> Floats:
        seen.append((self.model.name, factor))
        return plane

    monkeypatch.setattr(restoring._Network, "restored", restored)
    return seen


def test_objects_are_found_in_the_restored_image(monkeypatch: pytest.MonkeyPatch, field: Image) -> None:
    seen = as_it_is(monkeypatch)
    segmenter, heard = Segmenter("nuclei", "cpu"), list[float]()
    parameters = Parameters(model="nuclei", diameter=20, restore="denoise_cyto3")
    found = segmenter.segment(field, parameters, lambda part, words: heard.append(part))
    plain = segmenter.segment(field, Parameters(model="nuclei", diameter=20))
    assert seen == [("denoise_cyto3", 1.5)]
    np.testing.assert_array_equal(found.labels, plain.labels)  # scaled twice, which changes nothing
    assert heard == sorted(heard)
    assert found.parameters == parameters
    assert found.restored is not None
    np.testing.assert_array_equal(found.restored[0], scaled(field.channels[0]))
    assert found.restore_sha256 == find_model("denoise_cyto3").sha256
    assert found.nbytes == plain.nbytes + found.restored.nbytes
    again = found.again(parameters.model_copy(update={"min_size": 0}))
    assert again.restored is found.restored
    with pytest.raises(CellspanError, match="restore = None needs the network once more"):
        found.again(Parameters(model="nuclei", diameter=20))


def test_without_a_diameter_the_image_tells_one_first(monkeypatch: pytest.MonkeyPatch, field: Image) -> None:
    seen = as_it_is(monkeypatch)
    segmenter = Segmenter("nuclei", "cpu")
    found = segmenter.segment(field, Parameters(model="nuclei", restore="denoise_cyto3"))
    [(_, factor)] = seen
    assert 30 / factor == pytest.approx(found.diameter, rel=0.3)
    assert found.diameter == pytest.approx(segmenter.segment(field, Parameters(model="nuclei")).diameter, rel=0.05)
    assert not any("as if its objects" in note for note in found.notes)


def test_labels_of_an_enlarged_image_have_the_size_of_the_image(monkeypatch: pytest.MonkeyPatch, field: Image) -> None:
    as_it_is(monkeypatch)
    segmenter = Segmenter("nuclei", "cpu")
    mask = np.zeros(field.shape, bool)
    mask[:, :100] = True
    for image in (field, replace(field, mask=mask)):
        for diameter in (20.0, None):
            parameters = Parameters(model="nuclei", diameter=diameter, restore="upsample_cyto3")
            found = segmenter.segment(image, parameters)
            plain = segmenter.segment(image, Parameters(model="nuclei", diameter=20.0))
            assert found.labels.shape == found.probability.shape == image.shape
            assert found.restored is not None
            assert found.restored.shape[1] > image.shape[0]
            assert found.count == pytest.approx(plain.count, abs=2)
            assert image.mask is None or not found.labels[:, 100:].any()
