"""Times cellspan against cellpose 3.1.1.2, side by side in one process: `python -m nox -s bench`.

Both get the same fields and the same two threads; each figure is the best of several repeats after a warm-up. The
table goes to standard output, and as JSON to the file that is named.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

THREADS = 2
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = str(THREADS)  # read when the libraries are loaded

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from cellpose import dynamics as peer_dynamics  # noqa: E402
from cellpose import models as peer_models  # noqa: E402
from cellpose import utils as peer_utils  # noqa: E402
from cellpose.resnet_torch import CPnet  # noqa: E402

from cellspan.core.dynamics.flows import labels_to_flows  # noqa: E402
from cellspan.core.dynamics.labelling import flows_to_labels  # noqa: E402
from cellspan.core.models.network import CELLPOSE_WIDTHS  # noqa: E402
from cellspan.core.models.registry import find_model  # noqa: E402
from cellspan.core.objects.outlines import labels_to_rois, trace_outlines  # noqa: E402
from cellspan.core.parameters import Parameters  # noqa: E402
from cellspan.core.segmenter import Segmenter  # noqa: E402

CPU = torch.device("cpu")
GRIDS = {512: (12, 16), 1024: (25, 32), 2048: (50, 64)}  # 192, 800 and 3,200 cells
NOISE = (0, 0.06, 0.1)  # standard deviation that is added to flows of length 1
PEER_SECONDS = 20.0  # a peer's call that takes longer is not repeated


def field_of_cells(side: int) -> np.ndarray:
    """Labels (side, side): ellipses on a jittered grid, nearly touching."""
    rng = np.random.default_rng(side)
    labels = np.zeros((side, side), np.int32)
    rows, columns = GRIDS[side]
    height, width = side / rows, side / columns
    for k in range(rows * columns):
        y, x = (k // columns + 0.5) * height, (k % columns + 0.5) * width
        centre = (x + rng.uniform(-1, 1), y + rng.uniform(-1, 1))
        axes = (width * rng.uniform(0.75, 0.95), height * rng.uniform(0.75, 0.95))
        cv2.ellipse(labels, (centre, axes, rng.uniform(-20, 20)), k + 1, -1)
    return labels


def network_outputs(labels: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Flows and logits as a good network gives them for the labels; `noise` is of each component of the flows."""
    rng = np.random.default_rng(0)
    flows = labels_to_flows(labels) + rng.normal(0, noise, (2, *labels.shape)).astype(np.float32)
    return flows, np.where(labels > 0, 4, -4) + rng.normal(0, 0.5, labels.shape).astype(np.float32)


def best_time(call: Callable[[], Any], repeats: int = 5) -> float:
    """Seconds of the fastest of several calls; a slow first call is the only one."""
    times: list[float] = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
        if times[0] > PEER_SECONDS:
            return times[0]
    return min(times[1:])


def rows(whole: bool) -> list[dict[str, Any]]:
    """Every comparison: what, seconds of both, ratio, and what is asked."""
    table: list[dict[str, Any]] = []

    def add(what: str, asked: float, ours: Callable[[], Any], theirs: Callable[[], Any]) -> None:
        seconds, peer = best_time(ours), best_time(theirs, repeats=2)
        table.append({"what": what, "cellspan_s": seconds, "cellpose_s": peer, "ratio": peer / seconds, "asked": asked})
        row = table[-1]
        print(f"{what:44} {seconds:9.4f} s {peer:9.3f} s {row['ratio']:8.1f} x  (asked {asked:g} x)", flush=True)

    for side in GRIDS:
        labels = field_of_cells(side)
        for noise in NOISE:
            flows, logits = network_outputs(labels, noise)
            add(
                f"labels from flows, {side}, " + (f"noise {noise}" if noise else "clean"),
                25,
                lambda flows=flows, logits=logits: flows_to_labels(flows, logits, Parameters(iterations=200)),
                lambda flows=flows, logits=logits: peer_dynamics.resize_and_compute_masks(
                    5 * flows, logits, niter=200, device=CPU
                ),
            )
        add(
            f"flow targets, {side}",
            10,
            lambda labels=labels: labels_to_flows(labels),
            lambda labels=labels: peer_dynamics.masks_to_flows(labels, device=CPU),
        )
    labels = field_of_cells(2048)
    add("outlines, 2048", 100, lambda: trace_outlines(labels), lambda: peer_utils.outlines_list(labels))
    add("ROIs against outlines, 2048", 200, lambda: labels_to_rois(labels), lambda: peer_utils.outlines_list(labels))
    if whole:
        add_whole_segmentation(add)
    return table


def add_whole_segmentation(add: Callable[..., None]) -> None:
    """1024x1024 pixels, diameter 30: the same full-size weights in both, then our bundled model."""
    rng = np.random.default_rng(0)
    labels = field_of_cells(1024)
    image = (1000 * (labels > 0) + rng.normal(200, 50, labels.shape)).clip(0).astype(np.uint16)
    network = CPnet(list(CELLPOSE_WIDTHS), 3, 3)
    network.load_state_dict(widened(find_model("nuclei").weights(), network.state_dict()))
    checkpoint = Path("/tmp" if os.name == "posix" else ".") / "cellspan_bench_full"
    network.save_model(str(checkpoint))
    peer = peer_models.CellposeModel(gpu=False, pretrained_model=str(checkpoint))
    try:
        full = Segmenter(str(checkpoint), "cpu")
    finally:
        checkpoint.unlink()
    compact = Segmenter(find_model("nuclei"), "cpu")
    parameters = Parameters(diameter=30)

    def theirs() -> Any:
        return peer.eval(image, diameter=30, channels=[0, 0])

    add("whole segmentation, same weights, 1024", 5, lambda: full.segment(image, parameters), theirs)
    add("whole, compact against full, 1024", 20, lambda: compact.segment(image, parameters), theirs)


def widened(weights: dict[str, np.ndarray], wide: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights of a narrow network as those of a wide one that computes the same: its further channels are 0.

    Random weights would find no objects and so spare both programs the dynamics.
    """
    state = {}
    for name, value in wide.items():
        state[name] = torch.ones_like(value) if name.endswith("running_var") else torch.zeros_like(value)
        narrow = torch.from_numpy(np.asarray(weights[name]))
        state[name][tuple(slice(side) for side in narrow.shape)] = narrow
    state["diam_mean"][:] = state["diam_labels"][:] = 30  # as the official ones, so that nothing is resized
    return state


def main() -> None:
    """Run, print, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--dynamics-only", action="store_true", help="leave out whole segmentations")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    table = rows(whole=not options.dynamics_only)
    if options.json:
        options.json.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
