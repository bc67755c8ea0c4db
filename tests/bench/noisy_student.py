"""Labels for pictures that nobody annotated: `python -m tests.bench.noisy_student PICTURES --out FOLDER --model cyto`.

A noisy student (Xie et al. 2020, "Self-training with Noisy Student improves ImageNet classification"): objects that a
model finds again when the picture is shrunk, enlarged, mirrored, turned, and changed in contrast and noise become
labels, to train the next model with. What is found only sometimes, or is as bright as a cell, is marked as unsure,
so that nothing is learnt from it. The pictures are those of ../shared/data/cellprofiler_examples; train with
FOLDER/cells and FOLDER/nuclei beside annotated images.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from cellspan.core.objects.labels import Labels, median_diameter
from cellspan.core.objects.metrics import best_overlaps
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.reading import read_image
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.data import UNSURE

# Of the cells, with (behind the +) that of their nuclei. The other pictures have objects of 5 pixels, or too few.
CELLS = (
    *(f"illumination/AS_09047_050428030001_O{k // 3 + 1:02d}f0{k % 3}d2.TIF" for k in range(0, 72, 2)),
    "illumination/--W00001--P00001--Z00000--T00000--cherry.tif",
    "neighbors/Clones1.JPG",
    "wound/DMSO_B5_t24.JPG",
    *(f"vitra/Channel 1-{well}.tif" for well in ("01-A-01-00", "12-A-12-00")),
    *(f"vitra/Channel 1-{well}.tif+vitra/Channel 2-{well}.tif" for well in ("01-A-01-00", "12-A-12-00")),
    *(f"human/AS_09125_050116030001_D03f00d{c}.tif" for c in (1, 2)),
    *(f"human/AS_09125_050116030001_D03f00d{c}.tif+human/AS_09125_050116030001_D03f00d0.tif" for c in (1, 2)),
    *(f"fly/01_POS{well}_{c}.TIF" for well in ("002", "076", "218") for c in "FR"),
    *(f"fly/01_POS{well}_{c}.TIF+fly/01_POS{well}_D.TIF" for well in ("002", "076", "218") for c in "FR"),
)
NUCLEI = (
    *(f"vitra/Channel 2-{well}.tif" for well in ("01-A-01-00", "12-A-12-00")),
    "human/AS_09125_050116030001_D03f00d0.tif",
    *(f"fly/01_POS{well}_D.TIF" for well in ("002", "076", "218")),
)
SIDE = 800  # pixels of the middle of a picture that are used
SAME = 0.75  # IoU of an object with one of another view
OFTEN = 0.8  # fraction of the views in which an object must be found
DOUBTFUL = 0.4  # fraction of the views that find something where the picture itself shows nothing
FEWEST, SHARE = 5, 0.3  # objects that are sure, and their fraction, without which a picture is left out
BRIGHT = 10  # percentile of sure objects' brightness from which what is not outlined may be a cell
SCALES = (0.8, 1.25)
GAMMA, NOISE = 0.7, 0.1  # of the changed view; noise relative to the standard deviation of the picture

Planes = NDArray[np.float32]  # (C, Y, X)


@dataclass
class Teacher:
    """A model that outlines the views of a picture."""

    segmenter: Segmenter

    def outlined(self, planes: Planes, diameter: float | None) -> Labels:
        """The objects of a view."""
        nuclei = 1 if len(planes) == 2 else None
        chosen = Parameters(diameter=diameter, channel=0, nuclei_channel=nuclei)
        return np.asarray(self.segmenter.segment(Image(np.ascontiguousarray(planes)), chosen).labels)

    def views(self, planes: Planes, diameter: float, rng: np.random.Generator) -> Iterator[Labels]:
        """What is found in other views of a picture, each at its place in the picture."""
        for scale in SCALES:
            yield self.outlined(planes, scale * diameter)
        yield self.outlined(planes[:, ::-1], diameter)[::-1]
        yield np.rot90(self.outlined(np.rot90(planes, axes=(1, 2)), diameter), -1)
        spread = planes.std(axis=(1, 2), keepdims=True)
        noise = NOISE * spread * rng.standard_normal(planes.shape, np.float32)
        yield self.outlined(np.sign(planes) * np.abs(planes) ** GAMMA + noise, diameter)

    def labels(self, planes: Planes, rng: np.random.Generator, dark: bool) -> NDArray[np.uint16] | None:
        """Sure objects, UNSURE where nobody knows; None where too little is sure. `dark` if cells are not bright."""
        found = self.outlined(planes, None)
        if not found.any():
            return None
        views = list(self.views(planes, median_diameter(found), rng))
        sure = np.mean([best_overlaps(found, view) >= SAME for view in views], axis=0) >= OFTEN
        if sure.sum() < FEWEST or sure.mean() < SHARE:
            return None
        certain = np.where(np.r_[False, sure][found], found, 0)
        doubtful = (found > 0) | (np.mean([view > 0 for view in views], axis=0) >= DOUBTFUL)
        if not dark:
            light = gaussian_filter(planes[0], 1.5)
            doubtful |= light > np.percentile(light[certain > 0], BRIGHT)
        return np.where(certain > 0, certain, np.where(doubtful, UNSURE, 0)).astype(np.uint16)


def middle(path: Path) -> Planes:
    """One plane (1, Y, X), the middle of a picture; colour and further channels as brightness."""
    planes = np.asarray(read_image(path).channels, np.float32).mean(0, keepdims=True)
    y, x = (max(0, (side - SIDE) // 2) for side in planes.shape[1:])
    return planes[:, y : y + SIDE, x : x + SIDE]


def main() -> None:
    """Write pictures and labels, and print what is sure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path, help="folder of the pictures")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="cyto")
    arguments = parser.parse_args()
    teacher, rng = Teacher(Segmenter(arguments.model)), np.random.default_rng(0)
    for kind, names in (("cells", CELLS), ("nuclei", NUCLEI)):
        folder = arguments.out / kind / "train"
        folder.mkdir(parents=True, exist_ok=True)
        for name in tqdm(names, desc=kind):
            paths = [arguments.pictures / part for part in name.split("+")]
            planes = np.concatenate([middle(path) for path in paths])
            labels = teacher.labels(planes, rng, dark=name.startswith("wound"))
            if labels is None:
                continue
            stem = "_".join(path.stem.replace(" ", "_") for path in paths)
            tifffile.imwrite(folder / f"{stem}.tif", planes, imagej=True, metadata={"axes": "CYX"})
            tifffile.imwrite(folder / f"{stem}_masks.tif", labels)
            sure = np.unique(labels[(labels > 0) & (labels < UNSURE)]).size
            tqdm.write(f"{stem}: {sure} objects, {np.mean(labels == UNSURE):.0%} unsure")


if __name__ == "__main__":
    main()
