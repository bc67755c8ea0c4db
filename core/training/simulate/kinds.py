"""Which looks and shapes occur how often, and how cells of each kind are arranged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cellspan.core.pictures.images import Floats
from cellspan.core.training.simulate.cultures import at_many_depths
from cellspan.core.training.simulate.layout import Plan, Scene
from cellspan.core.training.simulate.tissue import in_layers, in_neuropil

# How often each look occurs. Fluorescence most, because there is least annotated of it; the looks from "two-photon" on
# are those that models found hardest, and come to 54 %.
OFTEN = {
    "fluorescence": 0.15,
    "membrane": 0.055,
    "tissue": 0.03,
    "phase": 0.085,
    "brightfield": 0.035,
    "relief": 0.03,
    "stained": 0.02,
    "nuclei": 0.035,
    "stained nuclei": 0.02,
    "two-photon": 0.075,
    "packed": 0.04,
    "thick nuclei": 0.04,
    "neurons": 0.055,
    "confluent": 0.065,
    "faint": 0.035,
    "clumps": 0.03,
    "unequal": 0.03,
    "macrophages": 0.02,
    "yeast": 0.035,
    "thin rims": 0.075,
    "rings": 0.04,
}
# Shapes and their frequency.
SHAPES_OFTEN = {
    "round": 0.14,
    "epithelial": 0.22,
    "lobed": 0.16,
    "spread": 0.14,
    "spindle": 0.08,
    "bipolar": 0.04,
    "neurite": 0.05,
    "rod": 0.08,
    "filament": 0.03,
    "budding": 0.06,
}
TISSUE = {"epithelial": 0.5, "round": 0.15, "lobed": 0.25, "spread": 0.05, "spindle": 0.05}
FLAT = {"myoblast": 0.25, "spindle": 0.2, "spread": 0.2, "epithelial": 0.2, "bipolar": 0.05, "lobed": 0.1}
# Of the looks that have shapes of their own.
SHAPES_OF_LOOK = {
    "nuclei": {"round": 0.5, "lobed": 0.25, "epithelial": 0.25},
    "stained nuclei": {"round": 0.5, "lobed": 0.25, "epithelial": 0.25},
    "thick nuclei": {"round": 0.7, "epithelial": 0.25, "spindle": 0.05},
    "membrane": TISSUE,
    "stained": TISSUE,
    "tissue": TISSUE,
    "packed": TISSUE,
    "phase": SHAPES_OFTEN | {"spread": 0.25, "spindle": 0.15, "bipolar": 0.05, "rod": 0.14, "budding": 0.1},
    "two-photon": {"round": 0.8, "lobed": 0.15, "neuron": 0.05},
    "neurons": {"neuron": 0.6, "neurite": 0.2, "bipolar": 0.1, "round": 0.1},
    "confluent": FLAT,
    "faint": FLAT | {"epithelial": 0.35},
    "clumps": {"round": 0.85, "epithelial": 0.15},
    "macrophages": {"lobed": 0.3, "spread": 0.3, "round": 0.3, "spindle": 0.1},
    "yeast": {"budding": 1.0},
    "thin rims": FLAT | {"neurite": 0.1, "spread": 0.3},
    "rings": {"round": 0.5, "epithelial": 0.2, "lobed": 0.25, "spindle": 0.05},
}
WITHOUT_NUCLEI = {"rod", "filament", "budding"}
NUCLEI_ALONE = {"nuclei", "stained nuclei", "thick nuclei"}
LONG = {"spindle", "bipolar", "myoblast", "rod", "filament"}
BRANCHED = {"neurite", "neuron", "spindle", "bipolar", "spread", "filament"}  # that lie over each other
# Fraction of the fields of a look with a second channel that shows the nuclei.
WITH_NUCLEI = {
    "fluorescence": 0.5,
    "membrane": 0.5,
    "tissue": 0.9,
    "phase": 0.25,
    "brightfield": 0.25,
    "relief": 0.25,
    "packed": 0.9,
    "neurons": 0.6,
    "confluent": 0.25,
    "faint": 0.6,
    "clumps": 0.5,
    "unequal": 0.5,
    "macrophages": 0.8,
    "thin rims": 0.25,
    "rings": 0.7,
}
# What becomes of the scene of a look before anybody looks at it.
STAGES: dict[str, Callable[[Scene, np.random.Generator], Scene]] = {
    "two-photon": in_neuropil,
    "thick nuclei": in_layers,
    "clumps": at_many_depths,
}
SPARSEST = 0.01  # of the area: so few cells that the brightest 1 % of the pixels is not all cells


def shares(often: dict[str, float]) -> Floats:
    """Probabilities that come to 1."""
    values = np.array(list(often.values()))
    return np.asarray(values / values.sum())


def look_at_random(rng: np.random.Generator) -> str:
    """One of the looks."""
    return str(rng.choice(list(OFTEN), p=shares(OFTEN)))


def shape_for(look: str, rng: np.random.Generator) -> str:
    """A shape that cells of this look have."""
    often = SHAPES_OF_LOOK.get(look, SHAPES_OFTEN)
    return str(rng.choice(list(often), p=shares(often)))


def plan_for(cells: str, look: str, rng: np.random.Generator) -> Plan:
    """A random, typical arrangement of such cells."""
    plan = _plan(cells, look, rng)
    return _rearranged(plan, look, rng)


def _plan(cells: str, look: str, rng: np.random.Generator) -> Plan:
    crowd = rng.choice(["sparse", "half", "dense", "confluent"], p=[0.2, 0.25, 0.3, 0.25])
    if cells == "epithelial":
        crowd = rng.choice(["half", "dense", "confluent"], p=[0.2, 0.3, 0.5])
    if look == "stained":
        crowd = rng.choice(["sparse", "half"])
    elif look == "tissue":
        crowd = rng.choice(["half", "dense", "confluent"])
    elif crowd == "confluent" and (look in NUCLEI_ALONE or cells in {"neurite", "neuron", "spread", "filament"}):
        crowd = "dense"
    few = float(np.exp(rng.uniform(*np.log((SPARSEST, 0.25)))))
    coverage = {"sparse": few, "half": rng.uniform(0.25, 0.5)}.get(str(crowd), 1.0)
    growth = {"dense": rng.uniform(1.0, 1.3), "confluent": rng.uniform(1.4, 2.2)}.get(str(crowd), 1.0)
    small = cells in WITHOUT_NUCLEI
    if small:
        growth = min(growth, rng.uniform(1.0, 1.35))
    overlap = rng.choice([0.0, 0.05, 0.15, 0.35], p=[0.25, 0.35, 0.25, 0.15])
    if cells in BRANCHED or growth > 1.35:
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
        aligned=bool(rng.random() < (0.6 if cells in LONG else 0.1)),
        ruffled=float(rng.uniform(0, 0.04) if small else np.exp(rng.uniform(*np.log((0.01, 0.2))))),
        nuclei=(0.6, 0.9) if look in {"tissue", "packed"} else (0.35, 0.75),
    )


def _rearranged(plan: Plan, look: str, rng: np.random.Generator) -> Plan:
    """The plan with what is peculiar to a look."""
    if look == "two-photon":  # single round cells, seldom in rows
        return replace(
            plan,
            second_shape="round",
            spread=float(rng.uniform(0.05, 0.25)),
            coverage=float(rng.uniform(0.03, 0.4)),
            islands=plan.islands if rng.random() < 0.3 else 0.0,
            overlap=0.05,
            growth=1.0,
            ruffled=float(rng.uniform(0.01, 0.08)),
            nuclei=(0.4, 0.8),
        )
    if look == "packed":
        growth = float(rng.uniform(1.2, 2.2))
        return replace(plan, coverage=1.0, growth=growth, overlap=float(rng.uniform(0.1, 0.35)))
    if look == "thick nuclei":
        coverage = float(rng.uniform(0.4, 1.0))
        ruffled, spread = float(rng.uniform(0.01, 0.06)), float(rng.uniform(0.05, 0.3))
        overlap = float(rng.uniform(0.2, 0.6))
        return replace(plan, coverage=coverage, growth=1.0, overlap=overlap, ruffled=ruffled, spread=spread)
    if look == "neurons":
        return replace(plan, coverage=min(plan.coverage, float(rng.uniform(0.03, 0.4))), growth=1.0)
    if look in {"confluent", "faint"}:
        growth = float(rng.uniform(1.1, 1.4 if plan.shape in BRANCHED else 2.2))
        return replace(plan, coverage=1.0, growth=growth, overlap=float(rng.uniform(0.05, 0.3)), islands=0.0)
    if look == "clumps":
        islands, ruffled = float(rng.uniform(0.2, 0.7)), float(rng.uniform(0.01, 0.08))
        overlap = float(rng.uniform(0.15, 0.5))
        return replace(plan, coverage=1.0, growth=1.0, overlap=overlap, islands=islands, ruffled=ruffled)
    if look == "rings":  # crowds of them, and single ones between
        coverage, islands = float(rng.uniform(0.3, 1.0)), float(rng.uniform(0.1, 0.7))
        return replace(plan, coverage=coverage, growth=float(rng.uniform(1.0, 1.3)), islands=islands)
    if look == "macrophages":
        return replace(plan, ruffled=float(rng.uniform(0.05, 0.25)))
    return plan
