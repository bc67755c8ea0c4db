"""The same method as cellpose 3.1.1.2: network, flow targets, dynamics, checkpoints, each against the real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from cellpose import dynamics as peer_dynamics
from cellpose import metrics as peer_metrics
from cellpose.resnet_torch import CPnet

from cellspan.core.dynamics.flows import labels_to_flows
from cellspan.core.dynamics.labelling import flows_to_labels
from cellspan.core.inference.openvino_predictor import OpenVinoPredictor
from cellspan.core.inference.predictor import make_predictor
from cellspan.core.inference.tiles import predict_tiled
from cellspan.core.models.importing import export_checkpoint, import_model
from cellspan.core.models.network import CELLPOSE_WIDTHS, FlowNetwork
from cellspan.core.models.registry import find_model
from cellspan.core.objects.labels import as_labels, median_diameter, renumber, resize_labels
from cellspan.core.objects.metrics import best_overlaps
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.reading import read_labels
from cellspan.core.training.data import read_pair
from cellspan.core.training.pairs import Pair, find_pairs
from cellspan.core.training.simulate import simulate_nuclei

pytestmark = pytest.mark.filterwarnings("default")  # cellpose, and what it loads, are not ours to mend
CPU = torch.device("cpu")
FLOW_THRESHOLD = Parameters().flow_threshold


@pytest.fixture(scope="module")
def peer_network() -> CPnet:
    """Theirs with random weights and running statistics that are not 0 and 1."""
    torch.manual_seed(0)
    network = CPnet(list(CELLPOSE_WIDTHS), 3, 3)
    with torch.no_grad():
        network.train()(torch.randn(4, 2, 64, 64) * 2 + 1)
    return network.eval()


@pytest.fixture(scope="module")
def real_pairs(shared_data: Path) -> list[Pair]:
    """Twenty validation images of nuclei."""
    return find_pairs(shared_data / "dsb2018_fluo" / "val")[::3][:20]


def assert_same_network(theirs: CPnet, state: dict[str, torch.Tensor], widths: tuple[int, ...]) -> None:
    """Ours in torch within 1e-4 and in OpenVINO within 1e-3 of the output's range, style included."""
    images = torch.randn(2, 2, 96, 128)
    ours = FlowNetwork(widths)
    ours.load_state_dict(state)
    with torch.no_grad():
        expected, expected_style = (value.numpy() for value in theirs(images)[:2])
        outputs, style = (value.numpy() for value in ours.eval()(images))
    predictor = OpenVinoPredictor({name: value.numpy() for name, value in state.items()})
    features, deepest = predictor.encode(images.numpy())
    styles = deepest.mean((2, 3)) / np.linalg.norm(deepest.mean((2, 3)), axis=1, keepdims=True)
    compiled = np.concatenate([predictor.decode([one], style) for one, style in zip(features, styles, strict=True)])
    assert np.abs(outputs - expected).max() < 1e-4 * np.ptp(expected)
    assert np.abs(style - expected_style).max() < 1e-4
    assert np.abs(compiled - expected).max() < 1e-3 * np.ptp(expected)
    assert np.abs(styles - expected_style).max() < 1e-3


def test_network_with_random_weights(peer_network: CPnet) -> None:
    assert_same_network(peer_network, peer_network.state_dict(), CELLPOSE_WIDTHS)


def test_network_with_trained_weights() -> None:
    model = find_model("nuclei")
    state = {name: torch.from_numpy(array.copy()) for name, array in model.weights().items()}
    theirs = CPnet(list(model.description.widths), 3, 3)
    theirs.load_state_dict(state)
    assert_same_network(theirs.eval(), state, model.description.widths)


def test_their_checkpoint_comes_in_and_ours_goes_out(
    peer_network: CPnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cellspan.core.models.importing.user_models", lambda: tmp_path / "models")
    peer_network.save_model(str(tmp_path / "theirs"))
    model = import_model(tmp_path / "theirs")
    for name, value in peer_network.state_dict().items():
        assert np.array_equal(model.weights()[name], value.numpy()), name
    export_checkpoint(model, tmp_path / "ours")
    again = CPnet(list(CELLPOSE_WIDTHS), 3, 3)
    again.load_model(str(tmp_path / "ours"), device=CPU)
    for name, value in peer_network.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


def angular_error(labels: np.ndarray) -> float:
    """Mean angle in degrees between our flow targets and theirs, inside objects."""
    theirs = peer_dynamics.masks_to_flows(labels.astype(np.int64), device=CPU)
    theirs = theirs[0] if isinstance(theirs, tuple) else theirs
    ours = labels_to_flows(labels)
    lengths = np.hypot(*ours) * np.hypot(*theirs)
    inside = (labels > 0) & (lengths > 0)
    cosine = (ours * theirs).sum(0)[inside] / lengths[inside]
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())


def test_flow_targets(real_pairs: list[Pair]) -> None:
    fields = [renumber(as_labels(read_labels(pair.masks))) for pair in real_pairs]
    fields += [simulate_nuclei((512, 512), diameter, coverage=0.4).labels for diameter in (12, 30, 70)]
    errors = [angular_error(labels) for labels in fields]
    print(f"flow targets: mean angular error {np.mean(errors):.2f} degrees, worst field {max(errors):.2f}")
    assert max(errors) < 5


def peer_labels(flows: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Theirs with the same thresholds; their flows are 5 times as long."""
    found = peer_dynamics.resize_and_compute_masks(
        5 * flows, probability, niter=200, flow_threshold=FLOW_THRESHOLD, min_size=15, device=CPU
    )
    return as_labels(found[0] if isinstance(found, tuple) else found)


def compare(theirs: np.ndarray, ours: np.ndarray, flows: np.ndarray) -> tuple[int, int, int, int]:
    """Objects of theirs and ours, theirs of 30+ pixels, and those of them that have one of ours with IoU >= 0.9.

    An object whose flow error is within 0.01 of the threshold is not compared: one pixel more or less decides there.
    """
    theirs = renumber(theirs)
    errors, _ = peer_metrics.flow_error(theirs, 5 * flows, device=CPU)
    large = (np.bincount(theirs.ravel())[1:] >= 30) & (np.abs(errors - FLOW_THRESHOLD) > 0.01)
    best = best_overlaps(theirs, ours)
    return len(large), int(ours.max()), int(large.sum()), int((best[large] >= 0.9).sum())


def network_outputs(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """The flows and the probability that the bundled model gives for a real image, at its own resolution."""
    planes, labels = read_pair(pair)
    del labels
    outputs, _ = predict_tiled(make_predictor(find_model("nuclei"), "cpu"), planes)
    return outputs[:2] / 5, outputs[2]


def test_dynamics_on_real_images(real_pairs: list[Pair]) -> None:
    rows = []
    for pair in real_pairs:
        flows, probability = network_outputs(pair)
        theirs = peer_labels(flows, probability)
        rows.append(compare(theirs, flows_to_labels(flows, probability, Parameters(iterations=200)), flows))
    report_and_assert("20 real images", rows)


def test_dynamics_on_synthetic_fields() -> None:
    rows = []
    for diameter in (12, 30, 70):
        labels = simulate_nuclei((512, 512), diameter, coverage=0.45, seed=diameter).labels
        labels = resize_labels(labels, (512, 512))
        assert median_diameter(labels) > 0
        flows, probability = labels_to_flows(labels), np.where(labels > 0, 5.0, -5.0).astype(np.float32)
        theirs = peer_labels(flows, probability)
        rows.append(compare(theirs, flows_to_labels(flows, probability, Parameters(iterations=200)), flows))
    report_and_assert("3 synthetic fields", rows)


def report_and_assert(name: str, rows: list[tuple[int, int, int, int]]) -> None:
    theirs, ours, large, found = (sum(column) for column in zip(*rows, strict=True))
    print(f"{name}: cellpose {theirs} objects, cellspan {ours}; {found} of {large} large ones with IoU >= 0.9")
    assert abs(ours - theirs) <= 0.01 * theirs
    assert found == large
