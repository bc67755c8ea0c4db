"""A model that knows objects of any size and sees each channel by itself: a network of Cellpose 4."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.core import Parameters, Segmenter
from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import median_diameter
from cellspan.core.objects.metrics import average_precision
from cellspan.core.pictures.images import Image
from cellspan.core.training.simulate import simulate_nuclei

from ...blob_finder import save_blob_finder

pytest.importorskip("torch")
pytestmark = pytest.mark.quick
FIELD = simulate_nuclei((150, 210), diameter=18, seed=1)


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    return Segmenter(str(save_blob_finder(tmp_path_factory.mktemp("models") / "cpsam_v2")), "cpu")


def test_without_a_diameter_nothing_is_resized(segmenter: Segmenter) -> None:
    words: list[str] = []
    found = segmenter.segment(FIELD.image, on_progress=lambda part, message: words.append(message))
    assert found.seen is not None
    assert found.seen.factor == 1
    assert found.seen.outputs.shape == (3, 150, 210)
    assert found.style.shape == (0,)
    assert found.diameter == median_diameter(found.labels)
    assert average_precision(FIELD.labels, found.labels, (0.5,))[0] > 0.5
    assert not found.notes
    assert not any("estimating" in message for message in words)


def test_a_given_diameter_is_one_in_proportion_to_30_pixels(segmenter: Segmenter) -> None:
    found = segmenter.segment(FIELD.image, Parameters(diameter=60))
    assert found.seen is not None
    assert found.seen.factor == 0.5
    assert found.diameter == 60


def test_other_thresholds_give_what_a_fresh_run_gives(segmenter: Segmenter) -> None:
    first = segmenter.segment(FIELD.image)
    other = Parameters(model=segmenter.model.name, flow_threshold=0, cellprob_threshold=1, min_size=100)
    again, fresh = first.again(other), segmenter.segment(FIELD.image, other)
    np.testing.assert_array_equal(again.labels, fresh.labels)
    assert again.diameter == fresh.diameter != first.diameter


def test_channels_go_in_one_by_one_and_in_any_order(segmenter: Segmenter) -> None:
    empty = np.zeros_like(FIELD.image)
    expected = segmenter.segment(FIELD.image)
    for planes, options in (
        ([FIELD.image, empty, empty], {}),
        ([empty, FIELD.image], {}),
        ([empty, empty, empty, FIELD.image], {"channel": 3}),
        ([empty, FIELD.image, empty], {"channel": (2, 0, 1)}),
        ([empty, FIELD.image], {"nuclei_channel": 1}),
        ([FIELD.image, empty], {"channel": 1, "nuclei_channel": 0}),
    ):
        found = segmenter.segment(Image(np.stack(planes)), Parameters(**options))
        # The small random weights of its blocks see the channels in another order: 0.001 of logits that reach 11.
        np.testing.assert_allclose(found.probability, expected.probability, atol=0.01)
        assert found.count == expected.count
        # A pixel whose way ends between two objects may go to either; which, depends on the processor.
        assert np.count_nonzero(found.labels != expected.labels) <= 1


def test_each_channel_has_its_own_percentiles(segmenter: Segmenter) -> None:
    other = simulate_nuclei((150, 210), diameter=18, seed=2).image
    both = segmenter.segment(Image(np.stack([FIELD.image, other])))
    brighter = segmenter.segment(Image(np.stack([FIELD.image, 7 * other.astype(np.float32) + 300])))
    np.testing.assert_allclose(both.probability, brighter.probability, atol=1e-3)
    np.testing.assert_array_equal(both.labels, brighter.labels)


def test_colours_are_three_channels(segmenter: Segmenter) -> None:
    colours = np.stack([FIELD.image >> 8, FIELD.image >> 9, FIELD.image >> 8], -1).astype(np.uint8)
    red = segmenter.segment(colours, Parameters(channel=0))
    np.testing.assert_allclose(
        segmenter.segment(colours).probability + 3, 3 * (red.probability + 3), rtol=0.3, atol=1.5
    )


def test_what_is_told_of_channels(segmenter: Segmenter) -> None:
    many = Image(np.stack([FIELD.image] * 5))
    sentence = "The image has 5 channels; the first 3 are looked at (choose with channel)."
    assert segmenter.segment(many).notes == [sentence]
    combined = segmenter.segment(many, Parameters(channel=(0, 1), combine="maximum"))
    assert combined.notes == ["The model sees each channel by itself, so combine had no effect."]
    with pytest.raises(CellspanError, match="channel = 0,1,2,4: this model sees 3 channels at most"):
        segmenter.segment(many, Parameters(channel=(0, 1, 2), nuclei_channel=4))
    with pytest.raises(CellspanError, match="channel = 7, but the image has 5 channel"):
        segmenter.segment(many, Parameters(channel=7))
    with pytest.raises(CellspanError, match="nuclei_channel = 5, but the image has 5 channel"):
        segmenter.segment(many, Parameters(nuclei_channel=5))


def test_tiles_cannot_be_chosen(segmenter: Segmenter) -> None:
    with pytest.raises(CellspanError, match="tile = 128: this model sees tiles of 64 pixels only"):
        segmenter.segment(FIELD.image, Parameters(tile=128))


def test_a_mask_limits_where_to_look(segmenter: Segmenter) -> None:
    mask = np.zeros(FIELD.image.shape, bool)
    mask[20:120, 30:150] = True
    found = segmenter.segment(FIELD.image, mask=mask)
    assert found.count > 3
    assert not found.labels[~mask].any()


def test_how_long_it_takes_is_told_before_it_starts(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    words: list[str] = []
    monkeypatch.setattr("cellspan.core.inference.expectation.operations_a_second", lambda: 1e6)
    segmenter.segment(FIELD.image, on_progress=lambda part, message: words.append(message))
    assert words[0].startswith("running the network (about ")
    assert words[0].endswith(" on this processor)")


def test_a_torch_device_finds_the_same(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    from cellspan.core.inference.torch_transformer import TorchTransformer

    expected = segmenter.segment(FIELD.image)
    monkeypatch.setattr(segmenter, "predictor", TorchTransformer(segmenter.model, "cpu"))
    found = segmenter.segment(FIELD.image)
    assert average_precision(expected.labels, found.labels, (0.9,))[0] == 1
