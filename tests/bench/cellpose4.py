"""Times our network of Cellpose 4 against cellpose 4.x on a CPU, in turn in one process: `nox -s bench4`.

Both compute in 32-bit floats with the same two threads, from one checkpoint of the official size. Its weights are made
by hand (tests/blob_finder.py) so that there are objects to compare; how long the network takes does not depend on them.
Prints a Markdown table, with what else the machine was doing.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

THREADS = 2
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = str(THREADS)  # read when the libraries are loaded

import numpy as np  # noqa: E402
import torch  # noqa: E402
from cellpose import models as peer_models  # noqa: E402

from cellspan.core.dynamics.flows import labels_to_flows  # noqa: E402
from cellspan.core.models.registry import find_model  # noqa: E402
from cellspan.core.objects.metrics import average_precision, best_overlaps  # noqa: E402
from cellspan.core.parameters import Parameters  # noqa: E402
from cellspan.core.pictures.images import Floats  # noqa: E402
from cellspan.core.segmenter import Segmenter  # noqa: E402
from cellspan.core.training.simulate import simulate_nuclei  # noqa: E402
from tests.blob_finder import OFFICIAL, reader, save_state  # noqa: E402

CPU = torch.device("cpu")
ALIKE = 0.9  # IoU of two objects that are the same
ASKED = 1.5  # times as fast


def in_turn(ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int) -> tuple[list[float], list[Any]]:
    """The fastest of several calls of each, one of ours after one of theirs, in seconds; and their last results."""
    best, results = [float("inf")] * 2, [None, None]
    for _ in range(repeats):
        for k, call in enumerate((ours, theirs)):
            start = time.perf_counter()
            results[k] = call()
            best[k] = min(best[k], time.perf_counter() - start)
    return best, results


def flows_as_image(side: int) -> tuple[Floats, np.ndarray]:
    """Simulated nuclei as the three channels that the network of `reader` takes, not quite clean; and their labels."""
    labels = simulate_nuclei((side, side), diameter=24, seed=side).labels
    noise = np.random.default_rng(side).normal(0, 0.03, (3, side, side))
    return (np.stack([*(0.5 + labels_to_flows(labels) / 2), labels > 0]) + noise).astype(np.float32), labels


def row(what: str, seconds: list[float], found: str = "") -> None:
    """One line of the table, as soon as it is known."""
    ratio = seconds[1] / seconds[0]
    print(f"| {what} | {seconds[0]:.1f} s | {seconds[1]:.1f} s | {ratio:.2f}x | {ASKED:g}x | {found} |", flush=True)


def measure(file: Path, sides: list[int], repeats: int, network_too: bool) -> None:
    """The network on one tile, then whole images of these sides."""
    ours = Segmenter(find_model(str(file)), "cpu")
    theirs = peer_models.CellposeModel(device=CPU, pretrained_model=str(file), use_bfloat16=False)
    theirs.net.eval()  # as their own eval does; in training, blocks are left out at random
    tile = np.random.default_rng(0).normal(0.5, 0.2, (1, 3, OFFICIAL.tile, OFFICIAL.tile)).astype(np.float32)

    def their_network() -> Any:
        with torch.inference_mode():
            return theirs.net(torch.from_numpy(tile))[0].numpy()

    print(f"load {', '.join(f'{part:.1f}' for part in os.getloadavg())}; {os.cpu_count()} processors\n")
    print("| what | cellspan | cellpose 4 | ratio | target | labels |\n|---|---|---|---|---|---|", flush=True)
    if network_too:
        seconds, outputs = in_turn(lambda: ours.predictor.encode(tile)[0], their_network, repeats + 1)
        apart = np.abs(outputs[0] - outputs[1]).max() / np.ptp(outputs[1])
        row(f"network, one tile of {OFFICIAL.tile}", seconds, f"outputs differ by {apart:.0e} of their range")
    for side in sides:
        pixels, true = flows_as_image(side)
        seconds, (result, peer) = in_turn(
            lambda pixels=pixels: ours.segment(pixels, Parameters()),
            lambda pixels=pixels: theirs.eval(pixels.copy(), channel_axis=0)[0],
            repeats if side <= OFFICIAL.tile else 1,
        )
        overlaps = best_overlaps(peer.astype(np.int32), result.labels)
        ap = average_precision(true, result.labels, (0.5,))[0]
        alike = f"{np.mean(overlaps >= ALIKE):.1%} of {len(overlaps)} objects alike; AP@0.5 {ap:.3f}"
        row(f"whole segmentation, {side} x {side}", seconds, alike)
    print(f"\nload at the end {', '.join(f'{part:.1f}' for part in os.getloadavg())}")


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # With the black pixels around it, an image of 240 pixels fills one tile, for both programs.
    parser.add_argument("--sides", type=int, nargs="*", default=[240, 512], help="pixels of whole images")
    parser.add_argument("--without-network", action="store_true", help="whole images only")
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as folder:
        measure(
            save_state(Path(folder) / "cpsam_v2", reader(OFFICIAL)),
            arguments.sides,
            arguments.repeats,
            not arguments.without_network,
        )


if __name__ == "__main__":
    main()
