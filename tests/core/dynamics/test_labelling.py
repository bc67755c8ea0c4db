"""From flows to labels: there and back, objects with their flow errors, and an end when nobody wants the result."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellspan.core.dynamics import flows, following, grouping, volume_flows, volume_following, volume_grouping
from cellspan.core.dynamics.flows import flow_errors, labels_to_flows
from cellspan.core.dynamics.labelling import flows_to_labels, flows_to_objects
from cellspan.core.errors import Cancelled, CellspanError
from cellspan.core.machine.cancelling import cancelled_by
from cellspan.core.objects import labels, pieces, runs
from cellspan.core.objects.labels import Labels, fill_holes, largest_pieces
from cellspan.core.objects.metrics import best_overlaps
from cellspan.core.parameters import Parameters
from cellspan.core.training.simulate import simulate_nuclei

few = settings(max_examples=25, deadline=None)


def outputs(true: np.ndarray, seed: int, noise: float = 0.15) -> tuple[np.ndarray, np.ndarray]:
    """Flows and logits as a network gives them; some pixels inside objects are background, which makes holes."""
    rng = np.random.default_rng(seed)
    flow = labels_to_flows(true) + rng.normal(0, noise, (true.ndim, *true.shape)).astype(np.float32)
    return flow, (np.where(true > 0, 2, -4) + rng.normal(0, 1, true.shape)).astype(np.float32)


def balls(side: int, diameter: int) -> np.ndarray:
    """Volume (side, side, side) with balls on a grid, nearly touching."""
    step = diameter + 1
    z, y, x = np.indices((side, side, side))
    centres = [(axis // step + 0.5) * step - 0.5 for axis in (z, y, x)]
    inside = sum((axis - centre) ** 2 for axis, centre in zip((z, y, x), centres, strict=True)) < (diameter / 2) ** 2
    across = side // step + 1
    numbers = ((z // step) * across + y // step) * across + x // step + 1
    return np.where(inside, numbers, 0).astype(np.int32)


@st.composite
def parameters(draw: st.DrawFn) -> Parameters:
    return Parameters(
        flow_threshold=draw(st.sampled_from([0.05, 0.1, 0.4, 3])),
        min_size=draw(st.sampled_from([0, 15, 80])),
        fill_holes=draw(st.booleans()),
        exclude_on_edges=draw(st.booleans()),
        max_size_fraction=draw(st.sampled_from([0.05, 1])),
    )


def certain(labels: np.ndarray) -> np.ndarray:
    return np.where(labels > 0, 6.0, -6.0).astype(np.float32)


@pytest.mark.quick
def test_round_trip_of_simulated_nuclei() -> None:
    true = simulate_nuclei((256, 256), coverage=0.4, seed=3).labels
    iou = best_overlaps(true, flows_to_labels(labels_to_flows(true), certain(true)))
    big = np.bincount(true.ravel())[1:] >= 50
    assert iou[big].min() >= 0.95


@pytest.mark.data
def test_round_trip_of_ten_real_images(nuclei_images: list[Path], nuclei_labels: list[Labels]) -> None:
    assert len(nuclei_images) == 10
    for image, true in zip(nuclei_images, nuclei_labels, strict=True):
        iou = best_overlaps(true, flows_to_labels(labels_to_flows(true), certain(true)))
        big = np.bincount(true.ravel())[1:] >= 50
        assert iou[big].min() >= 0.95, image.name


@pytest.mark.quick
def test_labels_are_consecutive_int32(disks: np.ndarray) -> None:
    labels = flows_to_labels(labels_to_flows(disks), certain(disks))
    assert labels.dtype == np.int32
    assert np.array_equal(np.unique(labels), [0, 1, 2, 3])


@pytest.mark.quick
def test_empty_and_wrong_shapes() -> None:
    nothing = flows_to_labels(np.zeros((2, 5, 7)), np.full((5, 7), -1.0))
    assert nothing.shape == (5, 7)
    assert nothing.max() == 0
    with pytest.raises(CellspanError, match=r"\(2, Y, X\)"):
        flows_to_labels(np.zeros((3, 5, 5)), np.zeros((5, 5)))


@pytest.mark.quick
def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(CellspanError, match=r"or \(3, Z, Y, X\) and \(Z, Y, X\), not \(2, 4, 4, 4\) and \(4, 4, 4\)"):
        flows_to_labels(np.zeros((2, 4, 4, 4)), np.zeros((4, 4, 4)))


@pytest.mark.quick
@few
@given(parameters(), st.integers(0, 10**6))
def test_errors_are_those_of_the_final_labels(chosen: Parameters, seed: int) -> None:
    true = simulate_nuclei((90, 110), 18, coverage=0.45, seed=seed % 50).labels
    flow, logits = outputs(true, seed)
    found = flows_to_objects(flow, logits, chosen)
    assert found.errors is not None
    assert found.errors.dtype == np.float64
    assert np.array_equal(found.labels, flows_to_labels(flow, logits, chosen))
    assert np.array_equal(found.errors, flow_errors(found.labels, flow))


@pytest.mark.quick
@few
@given(parameters(), st.integers(0, 10**6))
def test_errors_in_volumes_too(chosen: Parameters, seed: int) -> None:
    flow, logits = outputs(balls(30, 9), seed)
    found = flows_to_objects(flow, logits, chosen)
    assert np.array_equal(found.errors, flow_errors(found.labels, flow))


@pytest.mark.quick
def test_an_object_that_takes_in_another_has_a_new_error() -> None:
    true = np.zeros((80, 80), np.int32)
    y, x = np.mgrid[:80, :80]
    far = np.hypot(y - 40, x - 40)
    true[far < 35], true[far < 12] = 1, 2
    flow = labels_to_flows(true)
    found = flows_to_objects(flow, np.where(true > 0, 5.0, -5.0), Parameters(flow_threshold=4, max_size_fraction=1))
    assert np.array_equal(found.errors, flow_errors(found.labels, flow))


@pytest.mark.quick
def test_without_a_threshold_no_errors_are_computed(disks: np.ndarray) -> None:
    found = flows_to_objects(labels_to_flows(disks), np.where(disks > 0, 5.0, -5.0), Parameters(flow_threshold=0))
    assert found.errors is None
    assert found.labels.max() == 3


@pytest.mark.quick
def test_errors_of_some_objects_only(disks: np.ndarray) -> None:
    flow = labels_to_flows(disks) + np.float32(0.2)
    assert np.array_equal(flow_errors(disks, flow, np.array([3, 1])), flow_errors(disks, flow)[[2, 0]])


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """All work is cut as finely as it can be."""
    for module in (flows, following, grouping, labels, pieces, runs, volume_flows, volume_following, volume_grouping):
        for name, size in {
            "PIXELS": 100,
            "POINT_STEPS": 100,
            "SEEDS": 3,
            "WORK": 100,
            "VOXELS": 100,
            "ROWS": 1,
        }.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, size)


@pytest.mark.quick
@pytest.mark.parametrize("is_volume", [False, True])
def test_the_parts_do_not_change_the_result(is_volume: bool, request: pytest.FixtureRequest) -> None:
    true = balls(24, 9) if is_volume else simulate_nuclei((90, 110), 18, coverage=0.45, seed=4).labels
    flow, logits = outputs(true, 4)
    rng = np.random.default_rng(0)
    scattered = rng.integers(0, 5, (8, 9, 10) if is_volume else (30, 40)).astype(np.int32)
    whole = flows_to_objects(flow, logits), labels_to_flows(true), largest_pieces(scattered), fill_holes(scattered)
    request.getfixturevalue("small_parts")
    parts = flows_to_objects(flow, logits), labels_to_flows(true), largest_pieces(scattered), fill_holes(scattered)
    assert whole[0].labels.max() > 5
    assert np.array_equal(whole[0].errors, parts[0].errors)
    assert np.array_equal(whole[0].labels, parts[0].labels)
    for one, other in zip(whole[1:], parts[1:], strict=True):
        assert np.array_equal(one, other)


def test_after_warming_up_nothing_is_compiled() -> None:
    code = """
import numpy as np
from cellspan.core.dynamics import flows, following, grouping, labelling
from cellspan.core.objects import boxes, labels, runs
from cellspan.core.parameters import Parameters
labelling.warm_up()
def compiled():
    modules = (boxes, flows, following, grouping, labels, runs)
    return sum(len(f.signatures) for m in modules for f in vars(m).values() if hasattr(f, "signatures"))
before = compiled()
true = np.zeros((200, 200), np.int32)
true[10:60, 10:60], true[80:120, 20:90], true[150:180, 100:190] = 1, 2, 3
logits = np.where(true > 0, 5.0, -5.0)
logits[30, 30] = -5
found = labelling.flows_to_objects(flows.labels_to_flows(true), logits, Parameters(exclude_on_edges=True))
assert found.labels.max() == 3 and found.labels[30, 30] == 1
assert compiled() == before, (before, compiled())
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def seconds_to_end(work: Callable[[], object], after: float) -> float:
    """How long a thread goes on when its work is not wanted any more, which is told it after so many seconds."""
    unwanted, ended = threading.Event(), []

    def run() -> None:
        try:
            with cancelled_by(unwanted.is_set):
                work()
        except Cancelled:
            ended.append(time.perf_counter())

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(after)
    unwanted.set()
    told = time.perf_counter()
    thread.join()
    assert ended, "the work was done before it was cancelled: make it larger"
    return ended[0] - told


def endless(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Flows in which nothing comes to rest: round and round."""
    flow = np.zeros((len(shape), *shape), np.float32)
    y, x = np.indices(shape[-2:])
    turns = np.hypot(y - shape[-2] / 2, x - shape[-1] / 2) + 1
    flow[-2], flow[-1] = (x - shape[-1] / 2) / turns, -(y - shape[-2] / 2) / turns
    return flow, np.ones(shape, np.float32)


def test_following_flows_ends_when_it_is_cancelled() -> None:
    warm = Parameters(iterations=2)
    for shape in ((1600, 1600), (40, 300, 300)):
        flow, logits = endless(shape)
        flows_to_labels(flow[..., :20, :20], logits[..., :20, :20], warm)
        assert seconds_to_end(lambda f=flow, p=logits: flows_to_labels(f, p, Parameters(iterations=4000)), 1) < 2


def test_flow_errors_end_when_they_are_cancelled() -> None:
    """One very large object, and many of usual size."""
    large = np.ones((1500, 1500), np.int32)
    volume = np.ones((60, 250, 250), np.int32)
    many = np.kron(np.arange(1, 26, dtype=np.int32).reshape(5, 5), np.ones((400, 400), np.int32))
    for image in (large, volume, many):
        small = np.ascontiguousarray(image[..., :9, :9])
        labels_to_flows(small)
        flow = np.zeros((image.ndim, *image.shape), np.float32)
        assert seconds_to_end(lambda i=image, f=flow: flow_errors(i, f), 1) < 2


def test_a_small_image_does_not_wait_for_a_large_volume() -> None:
    flow, logits = endless((40, 300, 300))
    true = simulate_nuclei((128, 128), seed=1).labels
    image_flow, image_logits = outputs(true, 1)
    flows_to_labels(image_flow, image_logits)
    unwanted = threading.Event()

    def follow() -> None:
        with pytest.raises(Cancelled), cancelled_by(unwanted.is_set):
            flows_to_labels(flow, logits, Parameters(iterations=4000))

    thread = threading.Thread(target=follow)
    thread.start()
    time.sleep(1)
    flows_to_labels(image_flow, image_logits)
    assert thread.is_alive()
    unwanted.set()
    thread.join()
