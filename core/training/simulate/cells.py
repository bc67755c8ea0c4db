"""Simulated fields of cells: a random scene, imaged by a random microscope.

Domain randomisation: these fields vary more than real images, so that a real image looks like one more variation.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cellspan.core.errors import CellspanError
from cellspan.core.training.simulate.field import SimulatedField
from cellspan.core.training.simulate.kinds import (
    NUCLEI_ALONE,
    STAGES,
    WITH_NUCLEI,
    WITHOUT_NUCLEI,
    look_at_random,
    plan_for,
    shape_for,
)
from cellspan.core.training.simulate.layout import arrange
from cellspan.core.training.simulate.looks import LOOKS, nuclear_channel
from cellspan.core.training.simulate.shapes import SHAPES


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
    look = look or look_at_random(rng)
    if cells is None:
        cells = shape_for(look, rng)
    scene = arrange(shape, diameter, plan_for(cells, look, rng), rng)
    alone = look in NUCLEI_ALONE
    if alone:
        scene = replace(scene, nuclei=scene.labels)
    elif cells in WITHOUT_NUCLEI and look != "yeast" and rng.random() < 0.8:
        scene = replace(scene, nuclei=np.zeros_like(scene.labels))
    if look in STAGES:
        scene = STAGES[look](scene, rng)
    first = LOOKS[look](scene, rng)
    second = np.zeros(shape, np.float32)
    if scene.nuclei.any() and rng.random() < WITH_NUCLEI.get(look, 0.0):
        second = nuclear_channel(scene, first, rng)
    return SimulatedField(np.stack((first, second)), scene.annotated, look, cells)
