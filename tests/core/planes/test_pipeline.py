"""One plane from pixels to a result: what is measured, what is told on the way, and what the result says of itself."""

import numpy as np
import pytest

from cellspan.core.inference.predictor import make_predictor
from cellspan.core.models.registry import find_model
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import image_from_array
from cellspan.core.pictures.normalise import CONSTANT, network_input
from cellspan.core.planes.pipeline import PlanePipeline
from cellspan.core.training.simulate import simulate_nuclei

pytestmark = pytest.mark.quick
GIVEN = Parameters(model="nuclei", diameter=20, min_size=0)


@pytest.fixture(scope="module")
def pipeline() -> PlanePipeline:
    model = find_model("nuclei")
    return PlanePipeline(model, make_predictor(model, "cpu"), ("A word of the device.",))


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return simulate_nuclei((120, 150), 20, coverage=0.3, seed=1).image


def test_a_result_says_how_it_was_made(pipeline: PlanePipeline, image: np.ndarray) -> None:
    heard: list[float] = []
    found = pipeline.segment(image_from_array(image), GIVEN, lambda part, words: heard.append(part))
    assert heard == sorted(heard)
    assert heard[-1] == 1
    assert (found.model, found.model_sha256, found.device) == ("nuclei", pipeline.model.sha256, "cpu")
    assert (found.diameter, found.parameters) == (20, GIVEN)
    assert "A word of the device." in found.notes
    assert found.count > 3
    assert found.errors is not None
    assert len(found.errors) == found.count


def test_planes_of_a_volume_keep_what_is_judged_later(pipeline: PlanePipeline, image: np.ndarray) -> None:
    strict = GIVEN.model_copy(update={"min_size": 10_000, "exclude_on_edges": True})
    planes, _ = network_input(image_from_array(image), strict)
    labels, outputs, style = pipeline.segment_planes(planes, strict, 20.0, lambda part, words: None)
    whole = pipeline.segment(image_from_array(image), GIVEN, lambda part, words: None)
    np.testing.assert_array_equal(labels, whole.labels)
    np.testing.assert_array_equal(outputs[2], whole.probability)
    np.testing.assert_array_equal(style, whole.style)


def test_a_constant_image_has_no_diameter_to_measure(pipeline: PlanePipeline) -> None:
    flat = image_from_array(np.full((40, 50), 7, np.uint8))
    found = pipeline.segment(flat, Parameters(model="nuclei"), lambda part, words: None)
    assert found.count == 0
    assert found.diameter == pipeline.model.description.mean_diameter
    assert CONSTANT in found.notes
