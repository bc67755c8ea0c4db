"""Pictures and cards for docs, from the shared images: `python -m tests.bench.pictures`.

Writes docs/simulator_beside_real.png, and for each bundled model docs/model_NAME.md with docs/model_NAME.png, the
places of the validation images where it does worst. Only small cut-outs with outlines are shown, of sources whose
licences allow it; no annotated image is copied.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from cellspan.core.files.writing import write_atomically
from cellspan.core.models.card import card
from cellspan.core.models.registry import find_model
from cellspan.core.objects.labels import Labels, median_diameter, renumber, resize_labels
from cellspan.core.objects.metrics import average_precision
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.normalise import network_input
from cellspan.core.pictures.reading import read_image
from cellspan.core.pictures.resizing import resize
from cellspan.core.segmenter import Segmenter
from cellspan.core.training.pictures import Example, draw_examples
from cellspan.core.training.simulate import simulate_cells
from cellspan.core.training.simulate.field import SimulatedField
from cellspan.core.training.simulate.sheet import tile

from .scores import DATA, SOURCES, Case, validation

DOCS = Path(__file__).parents[2] / "docs"
SIDE = 200  # pixels of a cut-out
SHOWN = 26.0  # pixels: diameter at which objects are shown
EXAMPLES = DATA / "cellprofiler_examples"
FEWEST = 4  # objects in a cut-out that is worth showing
# What of the shared images stands beside which look and shape of the simulator.
BESIDE = [
    ("human, actin and DNA", "fluorescence", "spread"),
    ("fly, actin and DNA", "fluorescence", "round"),
    ("codex_expert", "tissue", "epithelial"),
    ("usiigaci_phase", "phase", "spindle"),
    ("yeastvision_phase", "phase", "budding"),
    ("omnipose_samples", "phase", "filament"),
    ("ecoli_fluo_tractatus", "fluorescence", "rod"),
    ("dsb2018_brightfield", "stained nuclei", "round"),
]


def real_image(name: str) -> tuple[Image, float]:
    """Channels (2, Y, X) and the diameter of the cells in pixels."""
    if name.startswith(("human", "fly")):
        files = ["human/AS_09125_050116030001_D03f00d2.tif", "human/AS_09125_050116030001_D03f00d0.tif"]
        if name.startswith("fly"):
            files = ["fly/01_POS002_F.TIF", "fly/01_POS002_D.TIF"]
        planes = [read_image(EXAMPLES / file).channels[0].astype(np.float32) for file in files]
        return Image(np.stack(planes)), 30.0 if name.startswith("human") else 50.0
    case = next(validation(name))
    planes = network_input(case.image, case.parameters)[0]
    return Image(planes), median_diameter(case.true)


def beside_real() -> None:
    """Real cut-outs above, simulated ones of the same kind below."""
    above, below = [], []
    for seed, (name, look, cells) in enumerate(BESIDE):
        image, diameter = real_image(name)
        shape = tuple(round(length * SHOWN / diameter) for length in image.shape)
        planes = resize(image.channels, (shape[0], shape[1]))
        y, x = (max(0, (length - SIDE) // 3) for length in shape)
        part = np.zeros((2, SIDE, SIDE), np.float32)
        cut = planes[:, y : y + SIDE, x : x + SIDE]
        part[:, : cut.shape[1], : cut.shape[2]] = cut
        above.append(_titled(tile(SimulatedField(part, np.zeros((SIDE, SIDE), np.int32)), False), name))
        below.append(_titled(tile(simulate_cells((SIDE, SIDE), SHOWN, 40 + seed, look, cells), False), "simulated"))
    rows = [np.hstack(part[k : k + 4]) for k in (0, 4) for part in (above, below)]
    _write_png(DOCS / "simulator_beside_real.png", np.vstack(rows))


def _titled(picture: np.ndarray, words: str) -> np.ndarray:
    titled = np.ascontiguousarray(picture)
    cv2.putText(titled, words, (5, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (255, 255, 0), 1, cv2.LINE_AA)
    return titled


def _write_png(path: Path, picture: np.ndarray) -> None:
    _, data = cv2.imencode(".png", picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    write_atomically(path, lambda part: part.write_bytes(data.tobytes()))


def model_card(name: str) -> None:
    """The card of a bundled model, and a picture of its failures."""
    segmenter = Segmenter(name)
    picture = DOCS / f"model_{name}.png"
    sources = [source for model, source, _ in SOURCES if model == name and source != "simulated"]
    draw_examples([worst_place(segmenter, source) for source in sources], picture, SIDE)
    text = (
        f"{card(find_model(name))}\n## Pictures of failures\n\n"
        "For each type of image, the region of the validation images with the lowest score: true outlines on the\n"
        f"left, found outlines on the right, with estimated diameters.\n\n![Where {name} does worst]({picture.name})\n"
    )
    write_atomically(DOCS / f"model_{name}.md", lambda part: part.write_text(text, encoding="utf-8"))


def worst_place(segmenter: Segmenter, source: str) -> Example:
    """The cut-out of a source's validation images with the lowest AP@0.5."""
    places = [place for case in list(validation(source))[:12] for place in _places(segmenter, case, source)]
    return min(places, key=lambda place: place.score)


def _places(segmenter: Segmenter, case: Case, source: str) -> Iterator[Example]:
    found = segmenter.segment(case.image, case.parameters).labels
    factor = SHOWN / median_diameter(case.true)
    shape = tuple(max(1, round(length * factor)) for length in case.true.shape)
    planes = resize(network_input(case.image, case.parameters)[0], (shape[0], shape[1]))
    true, predicted = (resize_labels(labels, (shape[0], shape[1])) for labels in (case.true, found))
    for y in range(0, max(1, shape[0] - SIDE // 2), SIDE // 2):
        for x in range(0, max(1, shape[1] - SIDE // 2), SIDE // 2):
            cut = slice(y, y + SIDE), slice(x, x + SIDE)
            here = _part(true, cut)
            if here.max(initial=0) >= FEWEST:
                there = _part(predicted, cut)
                score = float(average_precision(here, there, (0.5,))[0])
                yield Example(source, planes[(slice(None), *cut)], here, there, score)


def _part(labels: Labels, cut: tuple[slice, slice]) -> Labels:
    return renumber(np.ascontiguousarray(labels[cut]))


def main() -> None:
    """Write all of them, or those of some models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="nuclei,cyto")
    for name in parser.parse_args().models.split(","):
        model_card(name)
    beside_real()


if __name__ == "__main__":
    main()
