"""Whether a simple classifier tells simulated crops from real ones: `python -m tests.bench.real_or_simulated`.

Crops of 96x96 pixels are taken with cells at the same size, stretched between percentiles, and described by the power
at each spatial frequency and by their histogram; a logistic regression is trained on some pictures and asked about
others. 0.5 means that it cannot tell, 1.0 that it always can. What it goes by is printed too, so that noise and blur
can be put right: how far the simulated crops are from the real ones in each feature, in spreads of the simulated
ones. Looks on the command line choose among the kinds.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from cellspan.core.objects.labels import median_diameter, renumber
from cellspan.core.pictures.reading import read_image, read_labels
from cellspan.core.pictures.resizing import resize
from cellspan.core.training.simulate import simulate_cells

from .scores import DATA

Features = NDArray[np.float64]

SIDE = 96  # pixels of a crop
SHOWN = 20.0  # pixels: diameter of the objects in a crop
CROPS = 4  # of a simulated picture; of real ones more, if they are few
PICTURES = 40  # real, and as many simulated
BINS = 12  # of the spectrum, and of the histogram
FOLDS = 5
RIDGE = 0.05  # keeps the weights of the regression small
FLATTEST = 0.02  # of the whole range: crops with less between their percentiles are empty
CP = "cellprofiler_examples"  # without masks


@dataclass(frozen=True)
class Kind:
    """A look (with shapes, or all it has) and the real pictures of that kind: patterns below the shared images."""

    look: str
    pictures: tuple[str, ...]
    channel: int = 0
    cells: tuple[str | None, ...] = (None,)
    diameter: float = 0.0  # pixels, where no masks say it


KINDS = (
    Kind("fluorescence", (f"{CP}/illumination/AS_*d2.*", f"{CP}/fly/*_F.TIF"), diameter=45),
    Kind("faint", (f"{CP}/illumination/AS_*d2.*",), diameter=60),
    Kind("unequal", (f"{CP}/human/*d2.tif", f"{CP}/vitra/Channel 1*"), diameter=35),
    Kind("clumps", (f"{CP}/vitra/Channel 1*", f"{CP}/fly/*_F.TIF"), diameter=45),
    Kind("tissue", ("codex_expert/*/*_img.tif",)),
    Kind("packed", ("codex_expert/*/*_img.tif",)),
    Kind("thick nuclei", ("codex_expert/*/*_img.tif",), channel=1),
    Kind("nuclei", ("dsb2018_fluo/train/*_img.png",)),
    Kind("nuclei", ("bbbc039/train/*_img.png",)),
    Kind("stained nuclei", ("dsb2018_brightfield/train/*_img.png",)),
    Kind("phase", ("usiigaci_phase/train/*_img.png",), cells=("spread", "spindle")),
    Kind("confluent", ("usiigaci_phase/train/*_img.png",)),
    Kind("phase", ("yeastvision_phase/*/*_img.png",), cells=("budding",)),
    Kind("yeast", ("yeastvision_phase/*/*_img.png",)),
    Kind("fluorescence", ("ecoli_fluo_tractatus/*/*_img.png",), cells=("rod",)),
)


def real(kind: Kind, rng: np.random.Generator) -> Iterator[tuple[NDArray[np.float32], float]]:
    """Planes (Y, X) and the diameter of their objects in pixels; some of the pictures, where there are many."""
    files = sorted(file for pattern in kind.pictures for file in DATA.glob(pattern))
    if not files:
        raise SystemExit(f"{DATA}: there are no pictures {' or '.join(kind.pictures)}.")
    for i in rng.permutation(len(files))[:PICTURES]:
        image = read_image(files[i])
        plane = image.channels.mean(axis=0) if image.is_rgb else image.channels[kind.channel]
        yield np.asarray(plane, np.float32), kind.diameter or _diameter_of(files[i])


def _diameter_of(file: Path) -> float:
    masks = next(file.parent.glob(f"{file.stem.removesuffix('_img')}_masks.*"))
    return median_diameter(renumber(read_labels(masks).astype(np.int32)))


def crops(
    plane: NDArray[np.float32], scale: float, rng: np.random.Generator, wanted: int = CROPS
) -> list[NDArray[np.float32]]:
    """`wanted` places (SIDE, SIDE) of a picture magnified by `scale`, between 0 and 1."""
    shape = tuple(max(SIDE, round(side * scale)) for side in plane.shape)
    scaled = resize(plane[None], (shape[0], shape[1]))[0]
    low, high = np.percentile(scaled, (1, 99.8))
    found = []
    for _ in range(3 * wanted):
        y, x = (int(rng.integers(0, side - SIDE + 1)) for side in shape)
        cut = scaled[y : y + SIDE, x : x + SIDE]
        dark, bright = np.percentile(cut, (1, 99))
        if bright - dark > FLATTEST * max(high - low, 1e-6) and len(found) < wanted:
            found.append(np.clip((cut - dark) / (bright - dark), 0, 1))
    return found


def features(crop: NDArray[np.float32]) -> Features:
    """Logarithm of the power in rings of the spectrum, low frequencies first, and the histogram (square roots)."""
    window = np.hanning(SIDE)[:, None] * np.hanning(SIDE)
    power = np.abs(np.fft.fftshift(np.fft.fft2((crop - crop.mean()) * window))) ** 2
    y, x = np.indices(power.shape) - SIDE // 2
    ring = np.hypot(y, x)
    edges = np.geomspace(1, SIDE / 2, BINS + 1)
    spectrum = [np.log(power[(ring >= a) & (ring < b)].mean() + 1e-6) for a, b in pairwise(edges)]
    histogram = np.histogram(crop, BINS, (0, 1))[0] / crop.size
    return np.concatenate((spectrum, np.sqrt(histogram)))


def described(kind: Kind, seed: int) -> tuple[Features, Features, NDArray[np.int64]]:
    """Features of crops, 1 for the real ones, and the number of the picture that each crop is of."""
    rng = np.random.default_rng(seed)
    rows, is_real, picture = [], [], []
    pictures = list(real(kind, rng))
    for i, (plane, diameter) in enumerate(pictures):
        for crop in crops(plane, _scale(diameter), rng, max(CROPS, 60 // len(pictures))):
            rows.append(features(crop))
            is_real.append(1.0)
            picture.append(i)
    per_picture = max(1, round(PICTURES / len(pictures)))
    for i in range(len(pictures) * per_picture):
        diameter = pictures[i % len(pictures)][1] * float(np.exp(rng.normal(0, 0.1)))
        cells = kind.cells[int(rng.integers(len(kind.cells)))]
        # Simulated at the size that the microscope gave, then brought to the size of the crops, as real ones are.
        side = round(2.2 * SIDE / _scale(diameter))
        field = simulate_cells((side, side), diameter, 1000 * seed + i, kind.look, cells)
        for crop in crops(field.image[0], _scale(diameter), rng):
            rows.append(features(crop))
            is_real.append(0.0)
            picture.append(1000 + i)
    return np.array(rows), np.array(is_real), np.array(picture)


def _scale(diameter: float) -> float:
    """How far a picture is magnified so that its objects are about as in training."""
    return float(np.clip(SHOWN / diameter, 0.3, 1.5))


def accuracy(rows: Features, is_real: Features, picture: NDArray[np.int64]) -> float:
    """Mean of the fractions of real and of simulated crops that are recognised, in pictures that were not learnt."""
    hit = np.zeros(len(rows))
    fold = np.random.default_rng(0).permutation(picture.max() + 1)[picture] % FOLDS
    for k in range(FOLDS):
        known, asked = fold != k, fold == k
        mean, spread = rows[known].mean(axis=0), rows[known].std(axis=0) + 1e-6
        weights = _regression((rows[known] - mean) / spread, is_real[known])
        score = np.c_[(rows[asked] - mean) / spread, np.ones(asked.sum())] @ weights
        hit[asked] = (score > 0) == is_real[asked]
    return float((hit[is_real == 1].mean() + hit[is_real == 0].mean()) / 2)


def _regression(rows: Features, answers: Features) -> Features:
    """Weights (features + 1) of a logistic regression in which real and simulated crops count alike."""
    columns = np.c_[rows, np.ones(len(rows))]
    share = np.where(answers == 1, 0.5 / max(answers.sum(), 1), 0.5 / max((1 - answers).sum(), 1))
    sign = 2 * answers - 1

    def loss(weights: Features) -> tuple[float, Features]:
        margin = sign * (columns @ weights)
        slope = -share * sign / (1 + np.exp(np.clip(margin, -50, 50)))
        value = float((share * np.logaddexp(0, -margin)).sum() + RIDGE / 2 * (weights[:-1] ** 2).sum())
        return value, columns.T @ slope + RIDGE * np.r_[weights[:-1], 0]

    return np.asarray(minimize(loss, np.zeros(columns.shape[1]), jac=True, method="L-BFGS-B").x)


def differences(rows: Features, is_real: Features) -> str:
    """Means of the simulated crops less those of the real ones, in spreads of the former: spectrum, histogram."""
    simulated, others = rows[is_real == 0], rows[is_real == 1]
    apart = (simulated.mean(axis=0) - others.mean(axis=0)) / (simulated.std(axis=0) + 1e-6)
    parts = (" ".join(f"{value:+.1f}" for value in part) for part in (apart[:BINS], apart[BINS:]))
    return " | ".join(parts)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("looks", nargs="*", help="Only these looks.")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    for kind in KINDS:
        if arguments.looks and kind.look not in arguments.looks:
            continue
        rows, is_real, picture = described(kind, arguments.seed)
        found = accuracy(rows, is_real, picture)
        source = kind.pictures[0].split("/")[-2 if "cellprofiler" in kind.pictures[0] else 0]
        counts = f"{int(is_real.sum())} + {int((1 - is_real).sum())}"
        print(f"| {kind.look} | {source}{' (nuclei)' if kind.channel else ''} | {counts} | {found:.2f} |", flush=True)
        print(f"    {differences(rows, is_real)}", flush=True)


if __name__ == "__main__":
    main()
