"""A result with other thresholds is what a fresh run with them gives, without the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cellspan.core.dynamics.flows import flow_errors
from cellspan.core.errors import CellspanError
from cellspan.core.parameters import DYNAMICS, Parameters
from cellspan.core.planes.result import Result, check_same_network, object_quality
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.simulate import simulate_nuclei

CHANGES: list[dict[str, Any]] = [
    {"flow_threshold": 0.1},
    {"flow_threshold": 0},
    {"cellprob_threshold": 2.0},
    {"cellprob_threshold": -3.0, "fill_holes": False},
    {"min_size": 300},
    {"max_size_fraction": 0.01},
    {"exclude_on_edges": True},
    {"iterations": 20},
    {"resample": False},
    {"resample": False, "cellprob_threshold": 1.0, "min_size": 0},
]


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter("nuclei", "cpu")


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return simulate_nuclei((220, 260), 21, coverage=0.35, seed=3).image


@pytest.mark.parametrize("diameter", [None, 24.0])
def test_again_gives_the_labels_of_a_fresh_run(segmenter: Segmenter, image: np.ndarray, diameter: float | None) -> None:
    parameters = Parameters(model="nuclei", diameter=diameter)
    first = segmenter.segment(image, parameters)
    seen: set[bytes] = set()
    for change in CHANGES:
        changed = parameters.model_copy(update=change)
        fresh, again = segmenter.segment(image, changed), first.again(changed)
        assert np.array_equal(fresh.labels, again.labels), change
        assert np.array_equal(fresh.flows, again.flows)
        assert np.array_equal(fresh.probability, again.probability)
        assert fresh.diameter == again.diameter
        assert again.parameters == changed
        seen.add(again.labels.tobytes())
    assert len(seen) > 5, "the changes matter"
    assert np.array_equal(first.again(parameters).labels, first.labels)


def test_again_works_from_a_result_that_was_changed_before(segmenter: Segmenter, image: np.ndarray) -> None:
    coarse = segmenter.segment(image, Parameters(model="nuclei", resample=False, cellprob_threshold=4))
    fine = Parameters(model="nuclei")
    assert np.array_equal(coarse.again(fine).labels, segmenter.segment(image, fine).labels)


def test_again_keeps_the_model_of_the_segmenter(segmenter: Segmenter, image: np.ndarray) -> None:
    first = segmenter.segment(image, Parameters(diameter=24))
    stricter = first.again(Parameters(model="nuclei", diameter=24, cellprob_threshold=2))
    assert stricter.model == "nuclei"
    assert np.array_equal(stricter.labels, first.again(Parameters(diameter=24, cellprob_threshold=2)).labels)


@pytest.mark.quick
def test_what_the_network_sees_cannot_change() -> None:
    before = Parameters(model="nuclei", diameter=20)
    for name, value in {"model": "cyto", "diameter": 21.0, "channel": 1, "normalize": None, "augment": True}.items():
        with pytest.raises(CellspanError, match=rf"^{name} = .* needs the network once more"):
            check_same_network(before, before.model_copy(update={name: value}))
    check_same_network(before, before.model_copy(update={"min_size": 3, "iterations": 9}))
    assert set(DYNAMICS) < set(Parameters.model_fields)


@pytest.mark.quick
def test_volumes_are_not_kept() -> None:
    nothing = np.zeros((3, 2, 4, 4), np.float32)
    volume = Result(nothing[0].astype(np.int32), nothing, nothing[0], 5.0, nothing[0, 0, 0], "m", "0", "cpu", 0.0)
    with pytest.raises(CellspanError, match="once more"):
        volume.again(Parameters())
    assert volume.nbytes == volume.labels.nbytes + nothing.nbytes, "a view takes no memory of its own"


@pytest.mark.parametrize("change", [{}, {"min_size": 200, "exclude_on_edges": True}, {"resample": False}])
def test_flow_errors_of_the_dynamics_are_those_of_the_labels(
    segmenter: Segmenter, image: np.ndarray, change: dict[str, Any]
) -> None:
    result = segmenter.segment(image, Parameters(model="nuclei", **change))
    assert result.count > 2
    expected = flow_errors(result.labels, result.flows).astype(np.float32)
    assert np.array_equal(object_quality(result)[1], expected)
    assert (result.errors is None) == ("resample" in change)
