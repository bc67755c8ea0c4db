"""Simulated fields as a source of training: a pool that depends on the seed and the step, never on timing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image, network_input
from cellspan.core.training.data import Field, field_at
from cellspan.core.training.simulate import simulate_cells
from cellspan.core.training.simulate.borrowed import read_textures
from cellspan.core.training.simulate.optics import empty_field

SOURCE = "simulated"
POOL = 160  # fields at a time
EVERY = 2  # steps after which one field of the pool is replaced: half a field costs less than a tenth of a step
SIDE = 288  # pixels of a field at the model's resolution
EMPTY = 0.03  # fraction of the training's fields without any cell: dust and noise, as in an empty well
BORROWED = 0.4  # fraction of the fields that get noise and background of real pictures, where there are some
DIAMETERS = (10.0, 45.0)  # pixels in the simulated image, so that some cells come magnified and others shrunk
SIZES = (8.0, 120.0)  # pixels: diameters of the fields from which sizes are learnt
TRAINING, VALIDATION, SIZES_TRAINING, SIZES_HELD_OUT = range(4)  # streams of random numbers


class SimulatedPool:
    """At each step the next POOL fields of an endless sequence; field i comes from the seed and i alone."""

    def __init__(self, seed: int, mean_diameter: float, looks: Sequence[str] = (), textures: str = "") -> None:
        """`mean_diameter` in pixels is that of the model; `looks` are some of LOOKS, all if there are none.

        `textures` is a folder of unannotated pictures, whose noise and backgrounds are mixed into some of the fields of
        the training; "" if there is none. Raises CellspanError if it has no pictures.
        """
        self.seed, self.mean_diameter, self.looks = seed, mean_diameter, tuple(looks)
        self.textures = read_textures(textures) if textures else None
        self._fields: dict[int, Field] = {}

    def at(self, step: int) -> list[Field]:
        """The pool at a step of the training; fields that are new in it are made now."""
        first = step // EVERY
        for old in [i for i in self._fields if not first <= i < first + POOL]:
            del self._fields[old]
        for i in range(first, first + POOL):
            if i not in self._fields:
                self._fields[i] = self._field(TRAINING, i)
        return [self._fields[i] for i in range(first, first + POOL)]

    def held_out(self, count: int) -> list[Field]:
        """Fields that training never sees."""
        return [self._field(VALIDATION, i) for i in range(count)]

    def of_all_sizes(self, count: int, held_out: bool = False) -> list[Field]:
        """Fields as the microscope gave them, with cells of SIZES; neither training nor validation sees them."""
        stream = SIZES_HELD_OUT if held_out else SIZES_TRAINING
        return [self._native(stream, i) for i in range(count)]

    def _field(self, stream: int, i: int) -> Field:
        rng = np.random.default_rng((self.seed, stream, i))
        if stream == TRAINING and rng.random() < EMPTY:
            return _empty_field(rng)
        while True:
            diameter = float(np.exp(rng.uniform(*np.log(DIAMETERS))))
            side = round(SIDE * diameter / self.mean_diameter)
            field = self._simulated(side, diameter, self.mean_diameter, rng, stream == TRAINING)
            if field is not None:
                return field

    def _native(self, stream: int, i: int) -> Field:
        rng = np.random.default_rng((self.seed, stream, i))
        while True:
            field = self._simulated(SIDE, float(np.exp(rng.uniform(*np.log(SIZES)))), None, rng)
            if field is not None:
                return field

    def _simulated(
        self, side: int, diameter: float, mean_diameter: float | None, rng: np.random.Generator, textured: bool = False
    ) -> Field | None:
        """A square field, brought to the mean diameter; None if it has no cells. Some of `textured` ones borrow."""
        look = str(rng.choice(self.looks)) if self.looks else None
        made = simulate_cells((side, side), diameter, rng, look)
        if not made.labels.any():
            return None
        if textured and self.textures and rng.random() < BORROWED:
            made = self.textures.mixed_into(made, rng)
        parameters = Parameters(channel=0, nuclei_channel=1 if made.image[1].any() else None)
        return field_at(SOURCE, network_input(Image(made.image), parameters)[0], made.labels, mean_diameter)


def _empty_field(rng: np.random.Generator) -> Field:
    """What a camera sees where no cell is, in one channel or two."""
    planes = np.stack([empty_field((SIDE, SIDE), rng) for _ in range(rng.integers(1, 3))])
    parameters = Parameters(channel=0, nuclei_channel=1 if len(planes) == 2 else None)
    return field_at(SOURCE, network_input(Image(planes), parameters)[0], np.zeros((SIDE, SIDE), np.int32), None)
