"""Dynamics with tensors: the same objects and flow errors as following, on the CPU and, if there, CUDA."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellspan.core.dynamics.flows import flow_errors, labels_to_flows
from cellspan.core.dynamics.following import follow
from cellspan.core.dynamics.grouping import group
from cellspan.core.dynamics.labelling import flows_to_labels
from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import areas
from cellspan.core.objects.metrics import intersection_over_union
from cellspan.core.parameters import Parameters
from cellspan.core.training.simulate import simulate_nuclei

torch = pytest.importorskip("torch")

from cellspan.core.dynamics import tensors as dynamics_torch  # noqa: E402
from cellspan.core.dynamics.tensors import flow_errors_torch, flows_to_labels_torch  # noqa: E402

pytestmark = pytest.mark.quick
NO_CARD = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA graphics card")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_CARD)]


def noisy_outputs(labels: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Flows and logits as a good network gives them for the labels."""
    rng = np.random.default_rng(seed)
    flows = labels_to_flows(labels) + rng.normal(0, 0.15, (2, *labels.shape)).astype(np.float32)
    logits = np.where(labels > 0, 4, -4) + rng.normal(0, 0.8, labels.shape)
    return flows, logits.astype(np.float32)


def on(device: str, *arrays: np.ndarray) -> list["torch.Tensor"]:
    return [torch.from_numpy(array).to(device) for array in arrays]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("seed", "parameters"),
    [
        (1, Parameters()),
        (2, Parameters(flow_threshold=0, min_size=0, fill_holes=False)),
        (3, Parameters(flow_threshold=0.1, exclude_on_edges=True, iterations=35)),
    ],
)
def test_the_same_objects_as_the_compiled_dynamics(device: str, seed: int, parameters: Parameters) -> None:
    flows, logits = noisy_outputs(simulate_nuclei((140, 190), coverage=0.5, seed=seed).labels)
    ours = flows_to_labels(flows, logits, parameters)
    theirs = flows_to_labels_torch(*on(device, flows, logits), parameters)
    assert ours.max() > 5
    assert theirs.dtype == np.int32
    assert theirs.max() == ours.max()
    assert intersection_over_union(ours, theirs).max(1).min() >= 0.95


@pytest.mark.parametrize("device", DEVICES)
def test_pixels_arrive_where_the_compiled_dynamics_bring_them(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynamics_torch, "POINTS", 5000)
    flows, logits = noisy_outputs(simulate_nuclei((140, 190), coverage=0.5, seed=1).labels)
    ours = follow(flows, logits, 0.0, 200)
    pixels, arrivals = dynamics_torch._arrivals(*on(device, flows, logits > 0), 200)
    assert np.array_equal(np.flatnonzero(ours.ravel() >= 0), pixels.cpu().numpy())
    assert np.mean(arrivals.cpu().numpy() == ours.ravel()[pixels.cpu().numpy()]) > 0.98


# Few places, so that many pixels arrive at each and many seeds are equally strong and share what lies between them.
@settings(max_examples=50)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 60), st.integers(0, 10**6))
def test_points_of_arrival_are_grouped_exactly_alike(height: int, width: int, places: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, height * width, places)
    arrivals = targets[rng.integers(0, places, (height, width))].astype(np.int32)
    arrivals[rng.random((height, width)) < 0.1] = -1
    pixels = torch.from_numpy(np.flatnonzero(arrivals.ravel() >= 0))
    grouped = dynamics_torch._group(
        pixels, torch.from_numpy(arrivals[arrivals >= 0]).long(), torch.Size(arrivals.shape)
    )
    assert np.array_equal(grouped.numpy(), group(arrivals))


@pytest.mark.parametrize("device", DEVICES)
def test_many_windows_at_once_or_few_give_the_same_catchments(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    histogram = torch.from_numpy(np.random.default_rng(0).poisson(6, (90, 120))).to(device)
    whole = dynamics_torch._catchments(histogram)
    monkeypatch.setattr(dynamics_torch, "WINDOWS", 7)
    assert whole.max() > 50
    assert torch.equal(whole, dynamics_torch._catchments(histogram))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("heated", [1, 3000, 10**6])
def test_flow_errors_agree(device: str, heated: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynamics_torch, "HEATED", heated)
    labels = simulate_nuclei((150, 210), coverage=0.5, seed=5).labels
    labels[labels == 3] = 0  # a number that is missing
    labels[5:8, 3:180] = labels.max() + 1  # long, across others
    labels[0, 0] = labels.max() + 1  # one pixel, in the corner
    flows, _ = noisy_outputs(labels)
    ours, theirs = flow_errors(labels, flows), flow_errors_torch(labels, *on(device, flows))
    assert ours.max() > 0.03
    assert theirs == pytest.approx(ours, abs=1e-3)
    # Where an object is symmetric, the direction at its centre is a matter of rounding: an error of 1 in one pixel.
    perfect = flow_errors_torch(labels, *on(device, labels_to_flows(labels)))
    assert (perfect * areas(labels)).max() < 1.01


@pytest.mark.parametrize("device", DEVICES)
def test_pixels_without_a_direction_belong_to_nothing(device: str, disks: np.ndarray) -> None:
    flows, logits = labels_to_flows(disks), np.where(disks > 0, 6, -6).astype(np.float32)
    flows[0, disks == 3], flows[1, 30, 40] = np.nan, np.inf
    logits[30, 20] = np.nan
    labels = flows_to_labels_torch(*on(device, flows, logits), Parameters(fill_holes=False))
    assert labels.max() == 2
    assert labels[30, 40] == labels[30, 20] == 0


@pytest.mark.parametrize("device", DEVICES)
def test_empty_tiny_and_wrong_shapes(device: str) -> None:
    for shape in [(1, 1), (1, 40), (5, 7)]:
        nothing, something = np.full(shape, -1, np.float32), np.ones(shape, np.float32)
        flows = np.full((2, *shape), 0.5, np.float32)
        assert not flows_to_labels_torch(*on(device, flows, nothing)).any()
        everything = Parameters(max_size_fraction=1, flow_threshold=0, min_size=0)
        found = flows_to_labels_torch(*on(device, flows, something), everything)
        assert np.array_equal(found, flows_to_labels(flows, something, everything))
    assert found.all()  # 35 pixels go to one corner
    with pytest.raises(CellspanError, match=r"\(2, Y, X\)"):
        flows_to_labels_torch(*on(device, np.zeros((3, 5, 5, 5)), np.zeros((5, 5, 5))))
