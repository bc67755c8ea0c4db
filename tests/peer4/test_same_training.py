"""Fine-tuning as cellpose 4 does it: the same losses and weights, step by step, from the same weights and crops.

Their own loss, network and optimiser learn beside ours. As in test_same_network, the network is a small one of the same
class; `CELLSPAN_FULL_SIZE=1` takes the official size (12 GB of memory, minutes).
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from cellpose import train as peer_train
from cellpose import vit as peer_vit

from cellspan.core.dynamics.flows import labels_to_flows
from cellspan.core.models.registry import find_model
from cellspan.core.training.batches import Batch
from cellspan.core.training.learners import make_learner
from cellspan.core.training.recipe import Recipe
from cellspan.core.training.simulate import simulate_nuclei

from .test_same_network import random_network, saved, small  # noqa: F401 - a fixture

pytestmark = pytest.mark.filterwarnings("default")  # cellpose, and what it loads, are not ours to mend
STEPS = 3
sizes = pytest.mark.parametrize(
    "size",
    [
        "small",
        pytest.param(
            "official",
            marks=pytest.mark.skipif(os.environ.get("CELLSPAN_FULL_SIZE") != "1", reason="CELLSPAN_FULL_SIZE is not 1"),
        ),
    ],
)


def crop(seed: int) -> Batch:
    """One tile of 256 pixels with simulated nuclei, and its flows."""
    field = simulate_nuclei((256, 256), diameter=24, seed=seed)
    image = np.zeros((1, 3, 256, 256), np.float32)
    image[0, 0] = field.image / field.image.max()
    parts = (image, labels_to_flows(field.labels)[None], (field.labels > 0)[None].astype(np.float32))
    return Batch(*(torch.from_numpy(np.ascontiguousarray(part, np.float32)) for part in parts), torch.ones(1))


def their_step(network: peer_vit.CPSAM, optimiser: torch.optim.Optimizer, batch: Batch) -> float:
    """As in their train_seg: labels are (foreground, y flow, x flow)."""
    labels = torch.cat([batch.foreground[:, None], batch.flows], dim=1)
    loss = peer_train._loss_fn_seg(labels, network(batch.images)[0], torch.device("cpu"))
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return float(loss)


@sizes
def test_three_steps(size: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if size == "small":
        request.getfixturevalue("small")
    theirs = random_network()
    model = find_model(str(saved(theirs, tmp_path / "cpsam")))
    # A hundred times their learning rate for the small network, so that three steps change the losses.
    recipe = Recipe.fine_tuning(model, name="mine", **({"learning_rate": 1e-3} if size == "small" else {}))
    assert recipe.crop == 256
    learner = make_learner(recipe, "cpu")
    learner.start_from(model)
    learner.network.train()
    theirs.train()
    optimiser = torch.optim.AdamW(theirs.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    losses = []
    for step in range(STEPS):
        batch, fraction = crop(step), 0.3 + 0.1 * step
        torch.manual_seed(step)  # of the blocks that are left out
        ours = float(learner.step(batch, fraction))
        optimiser.param_groups[0]["lr"] = learner.optimiser.param_groups[0]["lr"]
        torch.manual_seed(step)
        losses.append((ours, their_step(theirs, optimiser, batch)))
    print(f"{size}: losses " + ", ".join(f"{ours:.5f} (theirs {peer:.5f})" for ours, peer in losses))
    for ours, peer in losses:
        assert ours == pytest.approx(peer, rel=1e-4)
    if size == "small":
        assert abs(losses[0][0] - losses[-1][0]) > 0.01 * losses[0][0]  # else this proves nothing
    state = theirs.state_dict()
    apart = [float((tensor - state[name]).abs().max()) for name, tensor in learner.network.state_dict().items()]
    moved = [float((torch.from_numpy(array) - state[name]).abs().max()) for name, array in model.weights().items()]
    assert max(apart) < 0.05 * max(moved)
