"""Trains cellspan and StarDist 0.9.2 on the same images for the same CPU minutes: `nox -s stardist -- --minutes 10`.

cellspan trains first, from random weights, without simulated cells; StarDist, in its default 2D configuration, then
gets as many seconds of CPU time. Both segment the validation images with default
parameters, and the same code scores them.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cellspan.core.files.writing import write_json
from cellspan.core.objects.metrics import THRESHOLDS, average_precision
from cellspan.core.pictures.reading import read_image, read_labels
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.pairs import Pair, find_pairs

DATA = Path(__file__).parents[3] / "shared" / "data"
# One channel each, because StarDist's default has one.
TASKS = {
    "nuclei": ("dsb2018_fluo", "bbbc039"),
    "whole cells": ("usiigaci_phase", "yeastvision_phase", "ecoli_fluo_tractatus", "omnipose_samples"),
}
WORKER = Path(__file__).parent / "stardist_worker.py"


@contextmanager
def cpu_seconds_of_children() -> Iterator[list[float]]:
    """The list gets the CPU time of the processes that were started and waited for in the meantime."""
    result: list[float] = []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    yield result
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    result.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def validation(sources: tuple[str, ...]) -> dict[str, list[Pair]]:
    """The validation pairs of each source."""
    return {source: find_pairs(DATA / source / "val") for source in sources}


def train_cellspan(sources: tuple[str, ...], folder: Path, minutes: float) -> float:
    """Train into `folder`; returns the CPU seconds that it took."""
    options = ["--minutes", str(minutes), "--mean-diameter", "24", "--widths", "16,32,64,128"]
    command = [sys.executable, "-m", "cellspan.core.cli", "train", *(str(DATA / source) for source in sources)]
    with cpu_seconds_of_children() as seconds:
        subprocess.run([*command, "--out", str(folder), *options], check=True)
    return seconds[0]


def run_stardist(python: str, sources: tuple[str, ...], folder: Path, seconds: float) -> None:
    """Train StarDist for so many CPU seconds; its labels of validation images go to folder/<source>/<stem>.npy."""
    job = {
        "train": [[str(p.image), str(p.masks)] for source in sources for p in find_pairs(DATA / source / "train")],
        "val": {source: [[str(p.image), str(p.masks)] for p in ps] for source, ps in validation(sources).items()},
        "seconds": seconds,
        "folder": str(folder),
    }
    folder.mkdir(parents=True)
    write_json(folder / "job.json", job)
    subprocess.run([python, str(WORKER), str(folder / "job.json")], check=True)


def compare(task: str, work: Path, minutes: float, python: str) -> list[dict[str, object]]:
    """A row for each source: AP at each threshold of both programs."""
    sources = TASKS[task]
    ours, theirs = work / task.replace(" ", "_") / "cellspan", work / task.replace(" ", "_") / "stardist"
    seconds = train_cellspan(sources, ours, minutes)
    run_stardist(python, sources, theirs, seconds)
    segmenter = Segmenter(str(ours))
    rows = []
    for source, pairs in validation(sources).items():
        scores: dict[str, list[np.ndarray]] = {"cellspan": [], "stardist": []}
        for pair in pairs:
            true = read_labels(pair.masks).astype(np.int32)
            found = segmenter.segment(read_image(pair.image)).labels
            rival = np.load(theirs / source / f"{pair.image.stem}.npy").astype(np.int32)
            scores["cellspan"].append(average_precision(true, found))
            scores["stardist"].append(average_precision(true, rival))
        means = {name: np.mean(values, axis=0).round(3).tolist() for name, values in scores.items()}
        rows.append({"task": task, "source": source, "cpu_minutes": round(seconds / 60, 1), **means})
    return rows


def as_markdown(rows: list[dict[str, object]]) -> str:
    """A table of all rows."""
    names = [f"{program} AP@{t:g}" for program in ("cellspan", "StarDist") for t in THRESHOLDS]
    lines = [["task", "images of", "CPU minutes", *names], ["---"] * (3 + len(names))]
    lines += [[row["task"], row["source"], row["cpu_minutes"], *row["cellspan"], *row["stardist"]] for row in rows]  # type: ignore[misc]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def main() -> None:
    """Train, score, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="of cellspan's training, for each task")
    parser.add_argument("--work", type=Path, default=Path("stardist_bench"), help="a folder for models and predictions")
    parser.add_argument("--stardist", default=sys.executable, metavar="PYTHON", help="a Python that has StarDist")
    parser.add_argument("--tasks", default=",".join(TASKS))
    arguments = parser.parse_args()
    rows = [
        row
        for task in arguments.tasks.split(",")
        for row in compare(task, arguments.work, arguments.minutes, arguments.stardist)
    ]
    write_json(arguments.work / "scores.json", {"rows": rows})
    print(json.dumps(rows))
    print(as_markdown(rows))


if __name__ == "__main__":
    main()
