"""Simulated fields of cells: a random scene, imaged by a random microscope.

Domain randomisation: these fields vary more than real images, so that a real image looks like one more variation.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.images import Floats
from cellspan.core.training.simulate.field import SimulatedField
from cellspan.core.training.simulate.layout import Plan, arrange
from cellspan.core.training.simulate.looks import LOOKS, nuclear_channel
from cellspan.core.training.simulate.shapes import SHAPES

# Frequency of each look; fluorescence is most frequent, because it has the fewest annotated images.
OFTEN = {
    "fluorescence": 0.36,
    "membrane": 0.12,
    "tissue": 0.07,
    "phase": 0.17,
    "brightfield": 0.07,
    "relief": 0.06,
    "stained": 0.04,
    "nuclei": 0.08,
    "stained nuclei": 0.03,
}
# Shapes and their frequency.
SHAPES_OFTEN = {
    "round": 0.14,
    "epithelial": 0.22,
    "lobed": 0.16,
    "spread": 0.14,
    "spindle": 0.1,
    "neurite": 0.05,
    "rod": 0.09,
    "filament": 0.03,
    "budding": 0.07,
}
WITHOUT_NUCLEI = {"rod", "filament", "budding"}
NUCLEI_ALONE = {"nuclei", "stained nuclei"}
# Fraction of the fields of a look with a second channel that shows the nuclei.
WITH_NUCLEI = {"fluorescence": 0.5, "membrane": 0.5, "tissue": 0.9, "phase": 0.25, "brightfield": 0.25, "relief": 0.25}
SPARSEST = 0.01  # of the area: so few cells that the brightest 1 % of the pixels is not all cells


def simulate_cells(
    shape: tuple[int, int] = (512, 512),
    diameter: float = 30.0,
    seed: int | np.random.Generator = 0,
    look: str | None = None,
    cells: str | None = None,
) -> SimulatedField:
    """A field (Y, X) of cells with their median diameter, in pixels (8 to 120 are sensible), and its true labels.

    `look` is one of LOOKS and `cells` one of SHAPES; None draws them. The same seed gives the same field. Raises
    CellspanError for names that are not known.
    """
    if look not in (None, *LOOKS) or cells not in (None, *SHAPES):
        raise CellspanError(f"The available looks are {', '.join(LOOKS)}; the shapes are {', '.join(SHAPES)}.")
    rng = seed if isinstance(seed, np.random.Generator) else np.random.default_rng(seed)
    look = look or str(rng.choice(list(OFTEN), p=_shares(OFTEN)))
    if cells is None:
        cells = _shape_for(look, rng)
    scene = arrange(shape, diameter, _plan(cells, look, rng), rng)
    alone = look in NUCLEI_ALONE
    if alone:
        scene = replace(scene, nuclei=scene.labels)
    elif cells in WITHOUT_NUCLEI and rng.random() < 0.8:
        scene = replace(scene, nuclei=np.zeros_like(scene.labels))
    first = LOOKS[look](scene, rng)
    second = np.zeros(shape, np.float32)
    if scene.nuclei.any() and rng.random() < WITH_NUCLEI.get(look, 0.0):
        second = nuclear_channel(scene, first, rng)
    return SimulatedField(np.stack((first, second)), scene.labels, look, cells)


def _shares(often: dict[str, float]) -> Floats:
    values = np.array(list(often.values()))
    return np.asarray(values / values.sum())


def _shape_for(look: str, rng: np.random.Generator) -> str:
    if look in NUCLEI_ALONE:
        return str(rng.choice(["round", "round", "lobed", "epithelial"]))
    often = dict(SHAPES_OFTEN)
    if look in {"membrane", "stained", "tissue"}:  # tissue and epithelia
        often = {"epithelial": 0.5, "round": 0.15, "lobed": 0.25, "spread": 0.05, "spindle": 0.05}
    if look == "phase":
        often |= {"spread": 0.25, "spindle": 0.18, "rod": 0.16, "budding": 0.12}
    return str(rng.choice(list(often), p=_shares(often)))


def _plan(cells: str, look: str, rng: np.random.Generator) -> Plan:
    """A random, typical arrangement of such cells."""
    crowd = rng.choice(["sparse", "half", "dense", "confluent"], p=[0.2, 0.25, 0.3, 0.25])
    if cells == "epithelial":
        crowd = rng.choice(["half", "dense", "confluent"], p=[0.2, 0.3, 0.5])
    if look == "stained":
        crowd = rng.choice(["sparse", "half"])
    elif look == "tissue":
        crowd = rng.choice(["half", "dense", "confluent"])
    elif crowd == "confluent" and (look in NUCLEI_ALONE or cells in {"neurite", "spread", "filament"}):
        crowd = "dense"
    few = float(np.exp(rng.uniform(*np.log((SPARSEST, 0.25)))))
    coverage = {"sparse": few, "half": rng.uniform(0.25, 0.5)}.get(str(crowd), 1.0)
    growth = {"dense": rng.uniform(1.0, 1.3), "confluent": rng.uniform(1.4, 2.2)}.get(str(crowd), 1.0)
    small = cells in WITHOUT_NUCLEI
    if small:
        growth = min(growth, rng.uniform(1.0, 1.35))
    overlap = rng.choice([0.0, 0.05, 0.15, 0.35], p=[0.25, 0.35, 0.25, 0.15])
    if cells in {"neurite", "spindle", "spread", "filament"} or growth > 1.35:
        overlap = max(overlap, rng.uniform(0.05, 0.35))
    clustered = 0.8 if small else 0.4
    return Plan(
        shape=cells,
        second_shape="round" if rng.random() < 0.5 else cells,
        second_part=rng.choice([0.0, 0.05, 0.2]),
        spread=float(rng.uniform(0.03, 0.15) if small else np.exp(rng.uniform(*np.log((0.05, 0.4))))),
        coverage=float(coverage),
        islands=float(rng.uniform(0.2, 0.8)) if rng.random() < clustered else 0.0,
        overlap=float(min(overlap, 0.1) if small and cells != "filament" else overlap),
        growth=float(growth),
        aligned=bool(rng.random() < (0.6 if cells in {"spindle", "rod", "filament"} else 0.1)),
        ruffled=float(rng.uniform(0, 0.04) if small else np.exp(rng.uniform(*np.log((0.01, 0.2))))),
        nuclei=(0.6, 0.9) if look == "tissue" else (0.35, 0.75),
    )
