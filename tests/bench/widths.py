"""What the network's widths bring per millisecond: `python -m tests.bench.widths --minutes 6`.

Networks of several widths learn from the same images for the same CPU time, without simulated cells, and are scored on
the validation images at their true diameters; the time is that of the network on one 512x512 image.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from cellspan.core.inference.openvino_predictor import OpenVinoPredictor
from cellspan.core.inference.tiles import predict_tiled
from cellspan.core.models.architecture import network_shapes, weight_count
from cellspan.core.models.registry import find_model

from .scores import DATA, Score, validation

WIDTHS = ("16,32,48,64", "16,32,64,128", "24,48,96,128", "32,64,96,128")
SOURCES = ("dsb2018_fluo", "usiigaci_phase", "yeastvision_phase", "ecoli_fluo_tractatus", "dsb2018_brightfield")


def milliseconds(folder: Path) -> float:
    """Of the network on one 512x512 image, the median of several runs."""
    predictor = OpenVinoPredictor(find_model(str(folder)).weights())
    image = np.random.default_rng(0).random((2, 512, 512), np.float32)
    times = []
    for _ in range(12):
        start = time.perf_counter()
        predict_tiled(predictor, image)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times[2:]))


def scored(folder: Path) -> dict[str, float]:
    """AP@0.5 of each source at the true diameter."""
    from cellspan.core.segmenter import Segmenter

    segmenter, table = Segmenter(str(folder)), {}
    for source in SOURCES:
        score = Score("", source)
        for case in list(validation(source))[:12]:
            score.add(case, segmenter)
        table[source] = float(np.mean(score.with_true_diameter))
    return table


def main() -> None:
    """Train, score and print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=6, help="of each training")
    parser.add_argument("--work", type=Path, default=Path("widths_bench"))
    parser.add_argument("--widths", nargs="*", default=WIDTHS)
    arguments = parser.parse_args()
    print("| widths | million weights | steps | ms for 512x512 | " + " | ".join(SOURCES) + " | mean |")
    print("|---" * (5 + len(SOURCES)) + "|")
    for widths in arguments.widths:
        folder = arguments.work / widths.replace(",", "-")
        options = [
            "--minutes",
            str(arguments.minutes),
            "--mean-diameter",
            "24",
            "--widths",
            widths,
            "--balance",
            "0.25",
        ]
        command = [sys.executable, "-m", "cellspan.core.cli", "train", *(str(DATA / source) for source in SOURCES)]
        subprocess.run([*command, "--out", str(folder), *options], check=True, capture_output=True)
        about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        scores = scored(folder)
        million = weight_count(network_shapes(about["widths"])) / 1e6
        cells = [f"{million:.2f}", about["training"]["steps"], f"{milliseconds(folder):.0f}"]
        cells += [f"{value:.3f}" for value in scores.values()] + [f"{np.mean(list(scores.values())):.3f}"]
        print(f"| {widths} | " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
