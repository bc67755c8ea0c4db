"""Times a whole segmentation with tensors, stage by stage: `python tests/bench/gpu.py --device cuda`.

On simulated nuclei, so that nothing but the repository is needed. Each figure is the best of several repeats after a
warm-up; the device is waited for at the end of each stage. With `--device cpu` the same code runs on CPU tensors,
which shows that it works, not how fast cellspan is on a CPU.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from cellspan.core.dynamics import tensors as dynamics_torch
from cellspan.core.dynamics.steps import iterations_for
from cellspan.core.inference.torch_predictor import TorchPredictor
from cellspan.core.inference.torch_tiles import predict_tiled_torch, resize_torch
from cellspan.core.models.architecture import FLOW_SCALE
from cellspan.core.models.registry import find_model
from cellspan.core.objects.labels import Labels, in_reading_order, largest_pieces
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Floats
from cellspan.core.pictures.resizing import resize
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.simulate import simulate_nuclei

DIAMETER = 25.0  # pixels; not the model's, so that there is something to resize


class Clock:
    """Best times of named stages on one device."""

    def __init__(self, device: torch.device, repeats: int) -> None:
        self.device, self.repeats = device, repeats
        self.seconds: dict[str, float] = {}

    def time(self, stage: str, call: Callable[[], Any]) -> Any:
        """The result of the call; its best time is kept."""
        result = call()
        times = []
        for _ in range(self.repeats):
            self._wait()
            start = time.perf_counter()
            result = call()
            self._wait()
            times.append(time.perf_counter() - start)
        self.seconds[stage] = min(times)
        return result

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()


def time_stages(clock: Clock, segmenter: Segmenter, planes: Floats) -> None:
    """Every stage by itself, each on what the one before gave."""
    shape = planes.shape[1], planes.shape[2]
    factor = segmenter.model.description.mean_diameter / DIAMETER
    scaled = clock.time("input to its size (CPU)", lambda: resize(planes, tuple(round(n * factor) for n in shape)))
    raw, _ = clock.time("upload, network, blending", lambda: predict_tiled_torch(segmenter.predictor, scaled))
    raw[:2] /= FLOW_SCALE
    outputs = clock.time("outputs to the image's size", lambda: resize_torch(raw, shape))
    flows, foreground = outputs[:2], outputs[2] > 0
    steps = iterations_for(DIAMETER)
    arrivals = clock.time("following the flows", lambda: dynamics_torch._arrivals(flows, foreground, steps))
    found = clock.time("grouping", lambda: dynamics_torch._group(*arrivals, foreground.shape))
    labels: Labels = clock.time(
        "download and clean-up (CPU)", lambda: in_reading_order(largest_pieces(found.cpu().numpy()))
    )
    clock.time("flow errors", lambda: dynamics_torch.flow_errors_torch(labels, flows))
    clock.time("download of the outputs", lambda: outputs.cpu().numpy())


def measure(segmenter: Segmenter, side: int, repeats: int) -> None:
    """One image of this side: its stages, then all of it, then the memory that the device gave."""
    field = simulate_nuclei((side, side), coverage=0.3, seed=side)
    planes = np.zeros((2, side, side), np.float32)
    low, high = np.percentile(field.image, (1, 99))
    planes[0] = (field.image - low) / (high - low)
    clock = Clock(torch.device(segmenter.predictor.device), repeats)
    time_stages(clock, segmenter, planes)
    parameters = Parameters(model=segmenter.model.name, diameter=DIAMETER)
    result = clock.time("the whole segmentation", lambda: segmenter.segment(field.image, parameters))
    print(f"\n{side} x {side} pixels, {int(field.labels.max())} nuclei, {result.count} found")
    for stage, seconds in clock.seconds.items():
        print(f"  {stage:30} {1000 * seconds:9.1f} ms")
    if clock.device.type == "cuda":
        print(f"  {'peak memory of the device':30} {torch.cuda.max_memory_allocated(clock.device) / 1e6:9.0f} MB")


def main() -> None:
    """Parse the command line and print a table for each side."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, mps or cpu")
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--sides", type=int, nargs="+", default=[1024, 2048], help="pixels")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    segmenter = Segmenter(find_model(arguments.model), "cpu")
    segmenter.predictor = TorchPredictor(segmenter.model, arguments.device)  # also for CPU tensors
    name = torch.cuda.get_device_name(arguments.device) if arguments.device.startswith("cuda") else arguments.device
    print(f"torch {torch.__version__} on {name}, model {arguments.model}")
    for side in arguments.sides:
        measure(segmenter, side, arguments.repeats)


if __name__ == "__main__":
    main()
