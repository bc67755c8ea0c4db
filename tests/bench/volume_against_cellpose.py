"""Times a whole 3D segmentation against cellpose 3.1.1.2: `python -m tests.bench.volume_against_cellpose`.

A stack of 64x256x256 voxels, the same full-size weights in both, one run each after a warm-up on a small stack; then
our bundled model. Prints how well both find the objects too, because speed alone says nothing.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.bench.against_cellpose import THREADS, widened  # first, because it sets the number of threads

import numpy as np  # isort: skip
import torch
from cellpose import models as peer_models
from cellpose.resnet_torch import CPnet

from cellspan.core.models.network import CELLPOSE_WIDTHS
from cellspan.core.models.registry import find_model
from cellspan.core.objects.metrics import average_precision
from cellspan.core.parameters import Parameters
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.simulate.volumes import simulated_volume

SHAPE = (64, 256, 256)
SMALL = (16, 64, 64)
DIAMETER = 30.0  # of the official weights, so that neither program resizes


def main() -> None:
    """Run and print."""
    torch.set_num_threads(THREADS)
    image, labels = simulated_volume(1, SHAPE, diameter=24)
    network = CPnet(list(CELLPOSE_WIDTHS), 3, 3)
    network.load_state_dict(widened(find_model("nuclei").weights(), network.state_dict()))
    checkpoint = Path("cellspan_bench_full").absolute()
    network.save_model(str(checkpoint))
    try:
        peer = peer_models.CellposeModel(gpu=False, pretrained_model=str(checkpoint))
        full = Segmenter(str(checkpoint), "cpu")
    finally:
        checkpoint.unlink()
    parameters = Parameters(do_3d=True, diameter=DIAMETER, anisotropy=1)

    def theirs(volume: Any) -> Any:
        found = peer.eval(volume, diameter=DIAMETER, channels=[0, 0], do_3D=True, z_axis=0)
        return np.asarray(found[0]).astype(np.int32)

    compact = Segmenter("nuclei", "cpu")
    small = image[: SMALL[0], : SMALL[1], : SMALL[2]]
    seconds = {}
    for name, segment in (
        ("cellspan, full-size weights", lambda volume: full.segment(volume, parameters).labels),
        ("cellspan, bundled model", lambda volume: compact.segment(volume, Parameters(do_3d=True, diameter=24)).labels),
        ("cellpose 3.1.1.2, full-size weights", theirs),
    ):
        segment(small)
        started = time.perf_counter()
        found = segment(image)
        seconds[name] = time.perf_counter() - started
        precision = average_precision(labels, found, [0.5])[0]
        print(f"{name:36} {seconds[name]:8.1f} s   AP@0.5 {precision:.3f}   {found.max()} objects", flush=True)
    ours, bundled, peers = seconds.values()
    print(f"same weights: {peers / ours:.1f} times as fast (asked 5); bundled model: {peers / bundled:.1f} times")


if __name__ == "__main__":
    main()
