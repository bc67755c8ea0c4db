"""The search for the diameter: looks at the style, confirmed by what is found."""

from __future__ import annotations

import pytest

from cellspan.core.objects.labels import median_diameter
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import image_from_array
from cellspan.core.pictures.normalise import network_input
from cellspan.core.planes.diameter import DiameterSearch
from cellspan.core.planes.looking import Looker
from cellspan.core.planes.pixels import Pixels
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.simulate import simulate_nuclei


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter("nuclei", "cpu")


def test_the_diameter_that_covers_most_is_the_right_one(segmenter: Segmenter) -> None:
    """Where two looks at the style do not agree, the magnifications are compared by what they find."""
    made = simulate_nuclei((320, 320), 40)
    pixels = Pixels(network_input(image_from_array(made.image), Parameters())[0], Parameters())
    search = DiameterSearch(Looker(segmenter.model, segmenter.predictor))
    covered = {diameter: search._covered(pixels, diameter)[0] for diameter in (6, 12, 40, 140)}
    assert max(covered, key=covered.__getitem__) == 40, covered
    _, measured = search._covered(pixels, 55)
    assert measured == pytest.approx(median_diameter(made.labels), rel=0.1), "closer than what was looked for"


def test_the_smallest_diameter_is_not_believed_unseen(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise looks like specks: two looks that say so agree, and yet large nuclei are found."""
    size_model = segmenter.model.description.size_model
    assert size_model is not None
    looks = iter([size_model.smallest, 0.7 * segmenter.model.description.mean_diameter])
    monkeypatch.setattr("cellspan.core.planes.diameter.diameter_from_style", lambda style, model: next(looks))
    made = simulate_nuclei((320, 320), 40)
    found = segmenter.segment(image_from_array(made.image), Parameters())
    assert found.diameter == pytest.approx(median_diameter(made.labels), rel=0.1)


def test_specks_in_a_large_image_are_not_enlarged_beyond_what_is_afforded(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image is enlarged as far as it is cheap, and a note says what to enter; whoever enters it gets all of it."""
    monkeypatch.setattr("cellspan.core.planes.diameter.CHEAP", 400_000)
    made = simulate_nuclei((300, 300), 7)
    image, mean = image_from_array(made.image), segmenter.model.description.mean_diameter
    found = segmenter.segment(image, Parameters())
    assert found.diameter == pytest.approx(mean * (300 * 300 / 400_000) ** 0.5)
    (note,) = [note for note in found.notes if "enlarged" in note]
    assert "to save time" in note
    told = segmenter.segment(image, Parameters(diameter=7.0))
    assert told.diameter == 7
    assert not [note for note in told.notes if "enlarged" in note]


def test_small_images_are_enlarged_as_they_need_it(segmenter: Segmenter) -> None:
    made = simulate_nuclei((300, 300), 7)
    found = segmenter.segment(image_from_array(made.image), Parameters())
    assert found.diameter == pytest.approx(median_diameter(made.labels), rel=0.2)
    assert not [note for note in found.notes if "enlarged" in note]
