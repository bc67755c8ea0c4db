"""Measures the device path of both kinds of networks: `python -m tests.bench.on_gpu` prints a Markdown table.

For a computer with a graphics card, where one command is to show everything: whether labels on the card are those of
the processor, how long images take, how much of the card's memory they need, and how long a step of fine-tuning takes.
Nothing but the repository is needed; the weights of Cellpose 4's size are made by hand (tests/blob_finder.py), which
does not change the times. `--device cpu --small` tries the script itself where there is no card.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cellspan.core.dynamics.flows import labels_to_flows
from cellspan.core.inference.torch_predictor import TorchPredictor
from cellspan.core.inference.torch_transformer import TorchTransformer
from cellspan.core.models.registry import Model, find_model
from cellspan.core.models.transformer import Transformer
from cellspan.core.objects.metrics import best_overlaps
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Floats
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.batches import Batches
from cellspan.core.training.data import field_at
from cellspan.core.training.learners import make_learner
from cellspan.core.training.recipe import Recipe
from cellspan.core.training.simulate import simulate_nuclei
from tests.blob_finder import OFFICIAL, SMALL, reader, save_state

ALIKE = 0.9  # IoU of two objects that are the same
COMPARED = 512  # pixels; larger images are not segmented on the processor, too
DIAMETER = 24.0


def picture(side: int, kind: str) -> tuple[Floats, int]:
    """Simulated nuclei, as a microscope shows them or as the flows that the weights made by hand read; how many."""
    field = simulate_nuclei((side, side), diameter=DIAMETER, coverage=0.3, seed=side)
    if kind == "flow-cnn":
        return field.image.astype(np.float32), int(field.labels.max())
    return np.stack([*(0.5 + labels_to_flows(field.labels) / 2), field.labels > 0]).astype(np.float32), int(
        field.labels.max()
    )


def on_device(model: Model, device: str) -> Segmenter:
    """A segmenter that keeps everything on the device, also if that is the processor."""
    segmenter = Segmenter(model, "cpu")
    kind: Any = TorchTransformer if model.description.transformer else TorchPredictor
    segmenter.predictor = kind(model, device)
    return segmenter


def fastest(call: Callable[[], Any], device: str, repeats: int) -> tuple[float, Any]:
    """Seconds of the fastest of several calls after one that warms up; and the result."""
    call()
    times = []
    for _ in range(repeats):
        wait(device)
        start = time.perf_counter()
        result = call()
        wait(device)
        times.append(time.perf_counter() - start)
    return min(times), result


def wait(device: str) -> None:
    """Until the device has done what it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device == "mps":
        torch.mps.synchronize()


def memory(device: str) -> str:
    """The most that was taken of the card's memory since the last call."""
    if not device.startswith("cuda"):
        return "-"
    taken = torch.cuda.max_memory_allocated(device) / 1e6
    torch.cuda.reset_peak_memory_stats(device)
    return f"{taken:.0f} MB"


def row(*cells: object) -> None:
    """A line of the table, as soon as it is known."""
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def segmentations(model: Model, device: str, sides: list[int], repeats: int) -> None:
    """A row for each size of an image; the smaller ones are compared with the processor."""
    on_card, about = on_device(model, device), model.description
    processor = Segmenter(model, "cpu") if min(sides) <= COMPARED else None
    parameters = Parameters(diameter=None if about.rules.any_size else DIAMETER)
    for side in sides:
        pixels, count = picture(side, about.kind)
        memory(device)
        seconds, found = fastest(lambda pixels=pixels: on_card.segment(pixels, parameters), device, repeats)
        taken, alike = memory(device), "-"
        if processor is not None and side <= COMPARED:
            overlaps = best_overlaps(processor.segment(pixels, parameters).labels, found.labels)
            alike = f"{np.mean(overlaps >= ALIKE):.1%} of {len(overlaps)}" if len(overlaps) else "none found"
        row(about.kind, f"segment {side} x {side}, {count} nuclei", f"{seconds:.3f} s", taken, alike)


def fine_tuning(model: Model, device: str, repeats: int) -> None:
    """A row for a training step."""
    recipe = Recipe.fine_tuning(model, name="bench")
    learner = make_learner(recipe, device)
    learner.start_from(model)
    learner.network.train()
    field = simulate_nuclei((512, 512), diameter=DIAMETER, seed=0)
    planes = np.zeros((model.description.layout.channels, *field.labels.shape), np.float32)
    planes[0] = field.image / field.image.max()
    crops = Batches(recipe, [field_at("bench", planes, field.labels, None)], np.ones(1), None)[0]
    memory(device)
    seconds, _ = fastest(lambda: learner.step(crops, 0.5), device, repeats)
    row(
        model.description.kind,
        f"training step, {recipe.batch} x {recipe.crop}",
        f"{seconds:.3f} s",
        memory(device),
        "-",
    )


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, mps or cpu")
    parser.add_argument("--sides", type=int, nargs="+", default=[512, 1024, 2048], help="pixels")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="a small network instead of Cellpose 4's size")
    arguments = parser.parse_args()
    device = arguments.device
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    sizes: Transformer = SMALL if arguments.small else OFFICIAL
    print(f"torch {torch.__version__} on {name}" + (", small network" if arguments.small else "") + "\n")
    row("kind", "what", "time", "memory of the card", "objects as on the processor (IoU >= 0.9)")
    row(*["---"] * 5)
    with tempfile.TemporaryDirectory() as folder:
        transformer = find_model(str(save_state(Path(folder) / "cpsam_v2", reader(sizes))))
        for model in (find_model("cyto"), transformer):
            segmentations(model, device, arguments.sides, arguments.repeats)
            fine_tuning(model, device, arguments.repeats)


if __name__ == "__main__":
    main()
