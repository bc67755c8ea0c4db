"""What goes wrong where: kinds of error on the validation images and on each simulated look, with a picture.

    python -m tests.bench.failures --write docs/failures.md --picture docs/failures.png

Diameters are estimated and all parameters are the defaults. The page keeps what was written by hand below MARK.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image as Picture
from tqdm import tqdm

from cellspan.core.files.writing import write_atomically
from cellspan.core.models.registry import find_model
from cellspan.core.objects.boundaries import border_pixels
from cellspan.core.objects.labels import Labels, areas
from cellspan.core.objects.metrics import shared_pixels
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.simulate import LOOKS, simulate_cells

from .scores import SOURCES, Case, as_table, case_of, per_cent, validation

KINDS = ("right", "edge off", "merged", "split", "missed", "rough")
COLOURS = {
    "right": (70, 160, 70),
    "edge off": (255, 220, 0),
    "merged": (255, 90, 200),
    "split": (80, 200, 255),
    "missed": (255, 60, 60),
    "rough": (255, 150, 40),
    "extra": (255, 255, 255),
}
FIELDS, SIDE, STREAM = 8, 384, 4711  # simulated ones of each look
SHOWN = 256  # pixels of each image in the picture
MARK = "<!-- by hand below -->"


def errors(true: Labels, predicted: Labels) -> tuple[np.ndarray, np.ndarray]:
    """The kind (n,) of each of the true labels 1..n, as an index of KINDS, and which predicted ones (m,) are extra.

    Right: IoU of 0.75 or more. Edge off: 0.5 or more. Merged: its prediction also holds most of another one. Split: its
    parts are several predictions. Missed: a quarter or less is covered. Rough: anything else.
    """
    rows, columns, shared = shared_pixels(true, predicted)
    of_true, of_predicted = areas(true), areas(predicted)
    n, m = len(of_true), len(of_predicted)
    rows, columns = rows - 1, columns - 1
    best, covered = np.zeros(n), np.zeros(n)
    np.maximum.at(best, rows, shared / (of_true[rows] + of_predicted[columns] - shared))
    np.add.at(covered, rows, shared / of_true[rows])
    swallows = shared > 0.5 * of_true[rows]  # the prediction has most of the true object
    swallowed = np.bincount(columns[swallows], minlength=m)
    merged = np.zeros(n, bool)
    merged[rows[swallows]] = swallowed[columns[swallows]] > 1
    parts = np.bincount(rows[shared > 0.5 * of_predicted[columns]], minlength=n)
    conditions = [best >= 0.75, best >= 0.5, merged, parts > 1, covered <= 0.25]
    inside = np.zeros(m)
    np.add.at(inside, columns, shared / of_predicted[columns])
    return np.select(conditions, range(5), default=5), inside < 0.25


@dataclass
class Row:
    """The errors on one source or look."""

    model: str
    name: str
    kinds: list[np.ndarray] = field(default_factory=list)
    extra: int = 0
    predicted: int = 0
    example: np.ndarray | None = None

    def add(self, case: Case, found: Labels) -> None:
        """Count one image; the first is the example."""
        kinds, extra = errors(case.true, found)
        self.kinds.append(kinds)
        self.extra += int(extra.sum())
        self.predicted += len(extra)
        if self.example is None:
            self.example = drawn(case, found, kinds, extra)

    def cells(self) -> list[str]:
        """Shares of the true objects, and the extra ones among the predicted."""
        counts = np.bincount(np.concatenate(self.kinds), minlength=len(KINDS))
        shares = [per_cent(count / max(counts.sum(), 1)) for count in counts]
        extra = per_cent(self.extra / max(self.predicted, 1))
        return [self.model, f"{self.name} ({counts.sum()})", *shares, extra]


def drawn(case: Case, found: Labels, kinds: np.ndarray, extra: np.ndarray) -> np.ndarray:
    """A corner of an image with the true outlines in the colour of their error, and extra predictions in white."""
    plane = case.image.channels[case.parameters.channel or 0].astype(np.float32)[:SHOWN, :SHOWN]
    low, high = np.percentile(plane, (1, 99.5))
    grey = np.clip((plane - low) / max(high - low, 1e-6), 0, 1) * 200
    picture = np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)
    true, found = case.true[:SHOWN, :SHOWN], found[:SHOWN, :SHOWN]
    table = np.array([(0, 0, 0), *(COLOURS[KINDS[kind]] for kind in kinds)], np.uint8)
    borders = border_pixels(true)
    picture[borders] = table[true[borders]]
    picture[border_pixels(np.where(np.concatenate(([False], extra))[found], found, 0))] = COLOURS["extra"]
    padded = np.zeros((SHOWN, SHOWN, 3), np.uint8)
    padded[: picture.shape[0], : picture.shape[1]] = picture
    return padded


def simulated(look: str) -> Iterator[Case]:
    """Fields of one look that no training has seen, with cells of 12 to 60 pixels."""
    for k in range(FIELDS):
        rng = np.random.default_rng((STREAM, k))
        diameter = float(np.exp(rng.uniform(*np.log((12, 60)))))
        made = simulate_cells((SIDE, SIDE), diameter, rng, look)
        if made.labels.any():
            yield case_of(made)


def save_picture(rows: list[Row], path: Path) -> None:
    """All examples, five in a row, in the order of the table."""
    examples = [row.example for row in rows if row.example is not None]
    examples += [np.zeros_like(examples[0])] * (-len(examples) % 5)
    sheet = np.concatenate([np.concatenate(examples[i : i + 5], axis=1) for i in range(0, len(examples), 5)])
    write_atomically(path, lambda part: Picture.fromarray(sheet).quantize(128).save(part, format="PNG", optimize=True))


INTRODUCTION = """# What goes wrong, and where

Written by `python -m tests.bench.failures`: validation images and simulated fields that no training has seen, estimated
diameters, default parameters. Each true object counts once. *Right*: IoU of 0.75 or more with a prediction. *Edge off*:
0.5 to 0.75. *Merged*: its prediction also holds most of another object. *Split*: several predictions lie in it.
*Missed*: a quarter of it or less is covered. *Rough*: anything else under 0.5. *Extra*: share of the predictions that
lie where there is nothing.
"""
LEGEND = """
One image of each, in the order of the table, true outlines in the colour of the error: green right, yellow edge off,
pink merged, blue split, red missed, orange rough; white: extra predictions.

![One image of each source and look, with the errors in colour](failures.png)

"""


def main() -> None:
    """Count, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cyto", default="cyto", help="the model for whole cells: a name or a folder")
    parser.add_argument("--nuclei", default="nuclei", help="the model for nuclei")
    parser.add_argument("--write", type=Path, metavar="FILE", help="a Markdown file for the table")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="a PNG file for the examples")
    arguments = parser.parse_args()
    segmenters = {name: Segmenter(find_model(getattr(arguments, name))) for name in ("cyto", "nuclei")}
    wanted = [(model, source, list(validation(source))) for model, source, _ in SOURCES if source != "simulated"]
    wanted += [("cyto", look, list(simulated(look))) for look in LOOKS]
    rows = []
    for model, name, cases in tqdm(wanted):
        row = Row(model, name)
        for case in cases:
            row.add(case, segmenters[model].segment(case.image, case.parameters).labels)
        rows.append(row)
    header = ["model", "images of (objects)", *KINDS, "extra"]
    text = INTRODUCTION + "\n" + as_table(header, [row.cells() for row in rows]) + LEGEND + MARK + "\n"
    print(text)
    if arguments.write:
        old = arguments.write.read_text(encoding="utf-8") if arguments.write.exists() else ""
        text += old.partition(MARK + "\n")[2]
        write_atomically(arguments.write, lambda part: part.write_text(text, encoding="utf-8"))
    if arguments.picture:
        save_picture(rows, arguments.picture)


if __name__ == "__main__":
    main()
