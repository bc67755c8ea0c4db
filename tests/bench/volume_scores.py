"""Scores in 3D on annotated and simulated stacks: `python -m tests.bench.volume_scores --write docs/scores_volumes.md`.

All three ways: one volume with the measured diameter (the default), one volume with the diameter of the true objects,
and slices that are joined. Everything else is the default.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from cellspan.core.files.writing import write_atomically
from cellspan.core.objects.labels import Labels, diameters
from cellspan.core.objects.metrics import average_precision, best_overlaps
from cellspan.core.parameters import Parameters
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.simulate.volumes import simulated_volume

DATA = Path(__file__).parents[3] / "shared" / "data"
# Anisotropies are not in the files: those of the embryo and the worm from the shapes of their nuclei.
REAL = (
    ("qcanet_embryo_3d/train/8_cell_stage", 2.0),
    ("stardist_examples/val/img3d", 2.0),
    ("plantseg_3d/train/1135_mini", 1.0),
)
ANISOTROPIES = (1.0, 2.0, 3.0, 5.0, 8.0)
SEEDS = (0, 1)
DEPTH, SIDE = 56, 160  # pixels along x of a simulated stack
STITCH = 0.25
HEADER = """# Scores in 3D

Written by `python -m tests.bench.volume_scores`. AP is TP / (TP + FP + FN), with the overlap measured in voxels. No
model was trained on stacks. *True diameter*: with the median diameter of the true objects in slices given. *Joined
slices*: `stitch_threshold` 0.25. *Found*: true objects with IoU >= 0.5. Simulated stacks are from
`cellspan.core.training.simulate.volumes`, two of each kind.
"""


@dataclass(frozen=True)
class Case:
    """A stack with its true labels."""

    name: str
    model: str
    image: NDArray[np.uint16]
    true: Labels
    anisotropy: float


def cases() -> Iterator[Case]:
    """Real stacks, then simulated ones."""
    for name, anisotropy in REAL:
        image, true = (tifffile.imread(DATA / f"{name}_{kind}.tif") for kind in ("img", "masks"))
        yield Case(name.partition("/")[0], "nuclei", image, true.astype(np.int32), anisotropy)
    for kind, model, anisotropies in (("nuclei", "nuclei", ANISOTROPIES), ("cells", "cyto", (1.0, 3.0))):
        for anisotropy in anisotropies:
            for seed in SEEDS:
                shape = (max(8, round(DEPTH / anisotropy)), SIDE, SIDE)
                image, true = simulated_volume(seed, shape, anisotropy, kind=kind)
                yield Case(f"simulated {kind}, anisotropy {anisotropy:g}", model, image, true, anisotropy)


def scored(case: Case, segmenter: Segmenter) -> str:
    """A row of the table."""
    in_3d = Parameters(model=case.model, do_3d=True, anisotropy=case.anisotropy)
    sizes = np.concatenate([diameters(np.ascontiguousarray(plane)) for plane in case.true])
    found = segmenter.segment(case.image, in_3d)
    told = segmenter.segment(case.image, in_3d.model_copy(update={"diameter": float(np.median(sizes))}))
    joined = segmenter.segment(case.image, Parameters(model=case.model, stitch_threshold=STITCH))
    half, quarter = average_precision(case.true, found.labels, [0.5, 0.75])
    overlaps = best_overlaps(case.true, found.labels)
    return (
        f"| {case.model} | {case.name} | {half:.3f} | {quarter:.3f} | {(overlaps >= 0.5).sum()} of {len(overlaps)} "
        f"| {average_precision(case.true, told.labels, [0.5])[0]:.3f} "
        f"| {average_precision(case.true, joined.labels, [0.5])[0]:.3f} "
        f"| {found.diameter:.1f} ({np.median(sizes):.1f}) |"
    )


def main() -> None:
    """Print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="Markdown file for the table")
    write = parser.parse_args().write
    segmenters = {name: Segmenter(name, "cpu") for name in ("nuclei", "cyto")}
    rows = [
        "| model | stack | AP@0.5 | AP@0.75 | found | true diameter | joined slices | diameter (true), px |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    print("\n".join(rows))
    for case in cases():
        rows.append(scored(case, segmenters[case.model]))
        print(rows[-1], flush=True)
    if write:
        text = HEADER + "\n" + "\n".join(rows) + "\n"
        write_atomically(write, lambda part: part.write_text(text, encoding="utf-8"))


if __name__ == "__main__":
    main()
