"""Scores of the bundled models on the validation images, simulated cells and CellProfiler's examples.

    python -m tests.bench.scores --write docs/scores.md --record

Diameters are estimated and all parameters are the defaults. `--cellprofiler PYTHON` names a Python with CellProfiler
(nox builds one in .nox/.cache) for the agreement with what its example pipelines find; `--record` puts the scores into
the models' model.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from cellspan.core.files.writing import write_atomically, write_json
from cellspan.core.models.registry import DESCRIPTION, Model, find_model
from cellspan.core.objects.boundaries import BoundaryScore, boundary_score
from cellspan.core.objects.labels import Labels, diameters, median_diameter, renumber, resize_labels
from cellspan.core.objects.metrics import THRESHOLDS, Matches, best_overlaps, intersection_over_union, match
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.reading import read_image, read_labels
from cellspan.core.pictures.resizing import resize
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.pairs import find_pairs
from cellspan.core.training.simulate import simulate_cells
from cellspan.core.training.simulate.field import SimulatedField

DATA = Path(__file__).parents[3] / "shared" / "data"
SIZES = (0.0, 15.0, 30.0, 60.0, np.inf)  # pixels: limits of the classes of object size
ELONGATED = 3.0  # length over width of the ellipse with an object's moments
SIMULATED_FIELDS, SIMULATED_SIDE, SIMULATED_STREAM = 40, 320, 77
NEAR = 2.0  # pixels between borders that count as one
MAGNIFIED = (8.0, 15.0, 30.0, 60.0, 120.0)  # pixels: diameters to which validation images are brought
MAGNIFIED_SIDE = 640  # pixels: larger views are cut


@dataclass(frozen=True)
class Case:
    """An image, which of its channels are looked at, and its true labels (Y, X)."""

    image: Image
    parameters: Parameters
    true: Labels


@dataclass
class Score:
    """What one model reaches on the images of one source; `asked` is the AP@0.5 to reach."""

    model: str
    source: str
    asked: float | None = None
    per_image: list[list[float]] = field(default_factory=list)  # AP at each of THRESHOLDS
    with_true_diameter: list[float] = field(default_factory=list)  # AP@0.5
    diameter_errors: list[float] = field(default_factory=list)  # relative
    pooled: list[Matches] = field(default_factory=lambda: [Matches(0, 0, 0)] * len(THRESHOLDS))
    sizes: list[np.ndarray] = field(default_factory=list)  # diameters of the true objects, pixels
    elongations: list[np.ndarray] = field(default_factory=list)
    overlaps: list[np.ndarray] = field(default_factory=list)  # best IoU of each true object
    borders: list[BoundaryScore] = field(default_factory=list)
    before: list[list[float]] = field(default_factory=list)  # like per_image, of the model to compare with

    def add(self, case: Case, segmenter: Segmenter) -> None:
        """Segment one image twice: with the estimated and with the true diameter."""
        found = segmenter.segment(case.image, case.parameters)
        diameter = median_diameter(case.true)
        told = case.parameters.model_copy(update={"diameter": diameter})
        iou = intersection_over_union(case.true, found.labels)
        matches = [match(iou, threshold) for threshold in THRESHOLDS]
        self.per_image.append([one.average_precision for one in matches])
        self.pooled = [old + new for old, new in zip(self.pooled, matches, strict=True)]
        told_iou = intersection_over_union(case.true, segmenter.segment(case.image, told).labels)
        self.with_true_diameter.append(match(told_iou, 0.5).average_precision)
        self.diameter_errors.append(abs(found.diameter / diameter - 1))
        self.sizes.append(diameters(case.true))
        self.elongations.append(elongations(case.true))
        self.overlaps.append(best_overlaps(case.true, found.labels))
        self.borders.append(boundary_score(case.true, found.labels, NEAR))

    def add_before(self, case: Case, segmenter: Segmenter) -> None:
        """Segment one image with the model to compare with."""
        iou = intersection_over_union(case.true, segmenter.segment(case.image, case.parameters).labels)
        self.before.append([match(iou, threshold).average_precision for threshold in THRESHOLDS])

    @property
    def mean(self) -> list[float]:
        """Mean over the images of the AP at each of THRESHOLDS."""
        return [float(value) for value in np.mean(self.per_image, axis=0)]

    def recall_of(self, chosen: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> str:
        """Fraction found (IoU >= 0.5) and number of the objects that `chosen` takes by size and elongation."""
        wanted = chosen(np.concatenate(self.sizes), np.concatenate(self.elongations))
        found = np.concatenate(self.overlaps)[wanted] >= 0.5
        return f"{found.mean():.2f} of {len(found)}" if len(found) else ""

    def numbers(self) -> dict[str, Any]:
        """For JSON and model.json."""
        named = zip(("ap50", "ap75", "ap90"), self.mean, self.pooled, strict=True)
        scores = {key: round(mean, 4) for name, mean, pooled in named for key, mean in _both(name, mean, pooled)}
        return {
            "images": len(self.per_image),
            **scores,
            "ap50_true_diameter": round(float(np.mean(self.with_true_diameter)), 4),
            "diameter_error": round(float(np.median(self.diameter_errors)), 4),
            "boundary_f1": round(float(np.mean([one.f1 for one in self.borders])), 4),
        }


def _both(name: str, mean: float, pooled: Matches) -> list[tuple[str, float]]:
    return [(name, mean), (f"pooled_{name}", pooled.average_precision)]


def elongations(labels: Labels) -> np.ndarray:
    """Length over width (n,) of the ellipse with the same second moments as each of the labels 1..n."""
    ys, xs = np.nonzero(labels)
    index = labels[ys, xs] - 1
    count = np.maximum(np.bincount(index), 1)
    dy, dx = (axis - (np.bincount(index, axis) / count)[index] for axis in (ys, xs))
    yy, xx, xy = (np.bincount(index, values) / count for values in (dy * dy, dx * dx, dy * dx))
    middle, spread = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + xy**2)
    return np.sqrt((middle + spread + 1 / 12) / np.maximum(middle - spread + 1 / 12, 1 / 12))


def validation(source: str) -> Iterator[Case]:
    """The annotated images of a source that are for validation."""
    for pair in find_pairs(DATA / source / "val"):
        image = read_image(pair.image)
        two = not image.is_rgb and len(image.channels) == 2
        parameters = Parameters(channel=0, nuclei_channel=1) if two else Parameters()
        yield Case(image, parameters, renumber(read_labels(pair.masks).astype(np.int32)))


def simulated() -> Iterator[Case]:
    """Fields that no training has seen, with cells of 8 to 120 pixels."""
    for k in range(SIMULATED_FIELDS):
        rng = np.random.default_rng((SIMULATED_STREAM, k))
        diameter = float(np.exp(rng.uniform(*np.log((8, 120)))))
        side = int(np.clip(12 * diameter, 160, 4 * SIMULATED_SIDE))
        made = simulate_cells((side, side), diameter, rng)
        if made.labels.any():
            yield case_of(made)


def case_of(made: SimulatedField) -> Case:
    """A simulated field; its second channel is looked at if it has nuclei."""
    nuclei = 1 if made.image[1].any() else None
    return Case(Image(made.image), Parameters(channel=0, nuclei_channel=nuclei), made.labels)


def magnified(source: str, diameter: float) -> Iterator[Case]:
    """Validation images of a source, brought to a diameter and cut; six of them at most."""
    cases = list(validation(source))
    for case in [cases[i] for i in np.unique(np.linspace(0, len(cases) - 1, 6).round().astype(int))]:
        factor = diameter / median_diameter(case.true)
        side = int(np.ceil(MAGNIFIED_SIDE / factor))
        part = case.image.channels[:, :side, :side].astype(np.float32)
        true = renumber(case.true[:side, :side].copy())
        if true.max() < 5:
            continue
        shape = tuple(max(8, round(length * factor)) for length in true.shape)
        true = renumber(resize_labels(true, (shape[0], shape[1])))
        yield Case(Image(resize(part, (shape[0], shape[1])), case.image.is_rgb), case.parameters, true)


SOURCES: list[tuple[str, str, float | None]] = [
    ("nuclei", "dsb2018_fluo", 0.90),
    ("nuclei", "bbbc039", 0.92),
    ("nuclei", "dsb2018_brightfield", 0.60),
    ("cyto", "usiigaci_phase", 0.65),
    ("cyto", "yeastvision_phase", 0.85),
    ("cyto", "codex_expert", 0.55),
    ("cyto", "ecoli_fluo_tractatus", 0.70),
    ("cyto", "omnipose_samples", None),
    ("cyto", "simulated", 0.85),
    ("cyto", "dsb2018_fluo", None),
    ("cyto", "bbbc039", None),
]
EXAMPLES = {  # pipeline: images by their names in it, of which the first is segmented and the second holds the nuclei
    "human/ExampleHuman.cppipe": [
        {"cellbody": f"human/{name}d2.tif", "DNA": f"human/{name}d0.tif", "PH3": f"human/{name}d1.tif"}
        for name in ["AS_09125_050116030001_D03f00"]
    ],
    "fly/ExampleFly.cppipe": [
        {"CropGreen": f"fly/{name}_F.TIF", "CropBlue": f"fly/{name}_D.TIF", "CropRed": f"fly/{name}_R.TIF"}
        for name in ["01_POS002", "01_POS076", "01_POS218"]
    ],
}


def score_sources(names: list[str], only: str | None) -> list[Score]:
    """Every model on its sources."""
    scores = []
    for model, source, asked in SOURCES:
        if model not in names or only not in (None, source):
            continue
        segmenter, score = Segmenter(model_of(model)), Score(model, source, asked)
        earlier = Segmenter(find_model(BEFORE[model])) if model in BEFORE else None
        for case in tqdm(list(simulated() if source == "simulated" else validation(source)), f"{model} on {source}"):
            score.add(case, segmenter)
            if earlier:
                score.add_before(case, earlier)
        scores.append(score)
    return scores


def score_magnifications(names: list[str]) -> list[Score]:
    """Every model on validation images of its sources at several magnifications."""
    scores = []
    for model in names:
        segmenter = Segmenter(model_of(model))
        sources = [s for m, s, asked in SOURCES if m == model and asked and s != "simulated"]
        for diameter in MAGNIFIED:
            score = Score(model, f"{diameter:g} px")
            for source in tqdm(sources, f"{model} at {diameter:g} pixels"):
                for case in magnified(source, diameter):
                    score.add(case, segmenter)
            scores.append(score)
    return scores


def experts(segmenter: Segmenter) -> dict[str, dict[str, float]]:
    """AP@0.5 on tissue between two people, and of the model against the second."""
    folder = DATA / "codex_expert" / "val"
    second = next(folder.glob("*_masks2.png"))
    other = renumber(read_labels(second).astype(np.int32))
    case = next(validation("codex_expert"))
    found = segmenter.segment(case.image, case.parameters).labels

    pairs = {"first and second expert": (case.true, other), "model and second expert": (other, found)}
    return {
        name: {"AP@0.5": round(match(intersection_over_union(*pair), 0.5).average_precision, 4)}
        for name, pair in pairs.items()
    }


def agreement(segmenter: Segmenter, python: Path) -> dict[str, dict[str, float]]:
    """How far the model's cells and those of CellProfiler's example pipelines are the same, at IoU 0.5."""
    table = {}
    for pipeline, sets in EXAMPLES.items():
        total, cells = Matches(0, 0, 0), 0
        for images in sets:
            theirs = cellprofiler_cells(python, pipeline, images)
            channels = np.stack([_plane(DATA / "cellprofiler_examples" / path) for path in list(images.values())[:2]])
            found = segmenter.segment(Image(channels), Parameters(channel=0, nuclei_channel=1)).labels
            total += match(intersection_over_union(theirs, found), 0.5)
            cells += int(theirs.max())
        table[Path(pipeline).stem] = {
            "cells of CellProfiler": cells,
            "cells of cellspan": total.true_positives + total.false_positives,
            "fraction of CellProfiler's cells found": round(total.recall, 4),
            "AP@0.5": round(total.average_precision, 4),
        }
    return table


def cellprofiler_cells(python: Path, pipeline: str, images: dict[str, str]) -> Labels:
    """The objects Cells (Y, X) that the real modules find."""
    folder = DATA / "cellprofiler_examples"
    script = Path(__file__).parent / "cellprofiler_objects.py"
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary) / "objects.npz"
        named = [f"{name}={folder / path}" for name, path in images.items()]
        command = [str(python), str(script), str(folder / pipeline), str(out), "Cells", *named]
        subprocess.run(command, check=True, capture_output=True)
        with np.load(out) as arrays:
            return renumber(arrays["Cells"].astype(np.int32))


def _plane(path: Path) -> np.ndarray:
    return read_image(path).channels[0]


INTRODUCTION = f"""# Scores

Written by `python -m tests.bench.scores`: validation images that no model was trained on (they were used to choose
among checkpoints), estimated diameters, default parameters. AP is TP / (TP + FP + FN), averaged over images; *pooled*
counts all objects of a source together. *True diameter* is AP@0.5 with the true diameter given; *diameter error* is the
median relative error of the estimated diameter. *Boundary F1* is how much of the outlines lies within {NEAR:g} pixels
of the true ones, and the other way round. *Before* is the same for the models of the release before.

Some of these images are not independent of the training images, so scores on new images may be lower:
yeastvision_phase is a later frame of a movie used in training, codex_expert another quadrant of the same field,
ecoli_fluo_tractatus another part of the same image, and one of the five images of bbbc039 (H06_s4) is from a well with
another image in the training set.
"""
BY_SIZE = f"""## By size and shape

Fraction of the true objects that were found (IoU >= 0.5), by diameter in pixels; *elongated* objects are at least
{ELONGATED:g} times as long as wide.
"""
MAGNIFICATIONS = """## At other magnifications

The same validation images, rescaled so that their objects have these diameters.
"""


def as_markdown(scores: list[Score], magnifications: list[Score], extra: dict[str, dict[str, Any]]) -> str:
    """The content of docs/scores.md."""
    parts = [INTRODUCTION, _main_table(scores), BY_SIZE, _size_table(scores)]
    if magnifications:
        parts += [MAGNIFICATIONS, _magnification_table(magnifications)]
    for title, table in extra.items():
        names = list(next(iter(table.values())))
        parts += [f"## {title}\n", as_table(["", *names], [[key, *row.values()] for key, row in table.items()])]
    return "\n".join(parts)


def _main_table(scores: list[Score]) -> str:
    header = ["model", "images of", "AP@0.5", "before", "asked", "AP@0.75", "before", "AP@0.9"]
    header += ["pooled 0.5", "pooled 0.75", "pooled 0.9", "true diameter", "diameter error", "boundary F1"]
    rows = []
    for score in scores:
        n, asked = score.numbers(), "" if score.asked is None else f"{score.asked:.2f}"
        earlier = [f"{value:.3f}" for value in np.mean(score.before, axis=0)] if score.before else ["", ""]
        names = ("ap90", "pooled_ap50", "pooled_ap75", "pooled_ap90", "ap50_true_diameter")
        numbers = [f"{n['ap50']:.3f}", earlier[0], asked, f"{n['ap75']:.3f}", earlier[1]]
        numbers += [*(f"{n[name]:.3f}" for name in names), per_cent(n["diameter_error"]), f"{n['boundary_f1']:.3f}"]
        rows.append([score.model, f"{score.source} ({n['images']})", *numbers])
    return as_table(header, rows)


def _size_table(scores: list[Score]) -> str:
    rows = []
    for score in scores:
        classes = [
            score.recall_of(lambda size, _, low=low, high=high: (size >= low) & (size < high))
            for low, high in pairwise(SIZES)
        ]
        classes.append(score.recall_of(lambda _, elongation: elongation >= ELONGATED))
        rows.append([score.model, score.source, *classes])
    return as_table(["model", "images of", "under 15", "15 to 30", "30 to 60", "over 60", "elongated"], rows)


def _magnification_table(scores: list[Score]) -> str:
    rows = []
    for score in scores:
        n = score.numbers()
        numbers = [f"{n['ap50']:.3f}", f"{n['ap50_true_diameter']:.3f}", per_cent(n["diameter_error"])]
        rows.append([score.model, f"{score.source} ({n['images']} images)", *numbers])
    return as_table(["model", "diameter", "AP@0.5", "true diameter", "diameter error"], rows)


def per_cent(fraction: float) -> str:
    """Whole per cent."""
    return f"{100 * fraction:.0f} %"


def as_table(header: list[str], rows: list[list[Any]]) -> str:
    """Rows under their header, in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def record(model: Model, scores: list[Score]) -> None:
    """Put the scores into the model's model.json, beside what training wrote there."""
    path = model.folder / DESCRIPTION
    about = json.loads(path.read_text(encoding="utf-8"))
    about["scores"] |= {score.source: score.numbers() for score in scores if score.model == model.name}
    write_json(path, about)


MODELS: dict[str, str] = {}  # a bundled model's name: the path of what stands in for it
BEFORE: dict[str, str] = {}  # a bundled model's name: the path of an earlier one, to compare with


def model_of(name: str) -> Model:
    return find_model(MODELS.get(name, name))


def main() -> None:
    """Score, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="nuclei,cyto", help="which of the bundled models")
    parser.add_argument("--in-place-of", default="", metavar="NAME=FOLDER", help="score another model as if it were it")
    parser.add_argument("--before", default="", metavar="NAME=FOLDER", help="an earlier model, for the column 'before'")
    parser.add_argument("--only", help="one source")
    parser.add_argument("--quick", action="store_true", help="without the magnifications")
    parser.add_argument("--cellprofiler", type=Path, metavar="PYTHON", help="a Python that has CellProfiler")
    parser.add_argument("--write", type=Path, metavar="FILE", help="a Markdown file for the tables")
    parser.add_argument("--record", action="store_true", help="put the scores into the bundled models' model.json")
    arguments = parser.parse_args()
    MODELS.update(pair.split("=", 1) for pair in arguments.in_place_of.split(",") if pair)
    BEFORE.update(pair.split("=", 1) for pair in arguments.before.split(",") if pair)
    names = arguments.models.split(",")
    scores = score_sources(names, arguments.only)
    magnifications = [] if arguments.quick else score_magnifications(names)
    extra: dict[str, dict[str, Any]] = {}
    if "cyto" in names and arguments.only is None:
        segmenter = Segmenter(model_of("cyto"))
        extra["Tissue (codex_expert): experts and the model"] = experts(segmenter)
        if arguments.cellprofiler:
            extra["Agreement with CellProfiler's example pipelines"] = agreement(segmenter, arguments.cellprofiler)
    text = as_markdown(scores, magnifications, extra)
    print(text)
    if arguments.write:
        write_atomically(arguments.write, lambda part: part.write_text(text, encoding="utf-8"))
    if arguments.record:
        for name in names:
            record(model_of(name), scores)


if __name__ == "__main__":
    main()
