"""Simulated fields as a source of training: a pool that depends on the seed and the step, never on timing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.normalise import network_input
from cellspan.core.training.data import Field, field_at
from cellspan.core.training.simulate import simulate_cells
from cellspan.core.training.simulate.borrowed import read_textures
from cellspan.core.training.simulate.optics import empty_field

SOURCE = "simulated"
POOL = 160  # fields in memory
EVERY = 2  # steps between replacing one field; half a field costs less than a tenth of a step
SIDE = 288  # pixels of a field at the model's resolution
EMPTY = 0.03  # fraction of fields without cells: dust and noise, as in an empty well
BORROWED = 0.4  # fraction of fields with noise and background of real images, if there are any
DIAMETERS = (10.0, 45.0)  # pixels in the simulated image, so that some cells are magnified and others shrunk
SIZES = (8.0, 120.0)  # pixels: diameters in the fields for the size model
TRAINING, VALIDATION, SIZES_TRAINING, SIZES_HELD_OUT = range(4)  # streams of random numbers


class SimulatedPool:
    """At each step the next fields of an endless sequence; field i comes from the seed and i alone."""

    def __init__(
        self,
        seed: int,
        mean_diameter: float,
        looks: Sequence[str] = (),
        textures: str = "",
        size: int | None = None,
        side: int | None = None,
    ) -> None:
        """`mean_diameter`: the model's, in pixels; `looks`: some of LOOKS, or () for all.

        `textures` is a folder of unannotated images, whose noise and backgrounds go into some of the training fields;
        "" for none. There are `size` fields at a time, `side` pixels wide at the model's resolution. Raises
        CellspanError if the folder has no images.
        """
        self.seed, self.mean_diameter, self.looks = seed, mean_diameter, tuple(looks)
        self.textures = read_textures(textures) if textures else None
        self.size, self.side = size or POOL, side or SIDE
        self._fields: dict[int, Field] = {}

    def at(self, step: int, shares: int = 1) -> list[Field]:
        """The pool at a training step; new fields are made now.

        Of `shares` processes that take steps in turn, each has its own part of the pool.
        """
        first = step // EVERY
        for old in [i for i in self._fields if not first <= i < first + self.size]:
            del self._fields[old]
        own = [i for i in range(first, first + self.size) if i % shares == step % shares]
        for i in own:
            if i not in self._fields:
                self._fields[i] = self._field(TRAINING, i)
        return [self._fields[i] for i in own]

    def held_out(self, count: int) -> list[Field]:
        """Fields that are never used for training."""
        return [self._field(VALIDATION, i) for i in range(count)]

    def of_all_sizes(self, count: int, held_out: bool = False) -> list[Field]:
        """Fields at their original resolution with cells of SIZES, used neither for training nor for validation."""
        stream = SIZES_HELD_OUT if held_out else SIZES_TRAINING
        return [self._native(stream, i) for i in range(count)]

    def _field(self, stream: int, i: int) -> Field:
        rng = np.random.default_rng((self.seed, stream, i))
        if stream == TRAINING and rng.random() < EMPTY:
            return _empty_field(rng)
        while True:
            diameter = float(np.exp(rng.uniform(*np.log(DIAMETERS))))
            side = round(self.side * diameter / self.mean_diameter)
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
        """A square field, rescaled to the mean diameter; None if it has no cells. Some `textured` fields borrow."""
        look = str(rng.choice(self.looks)) if self.looks else None
        made = simulate_cells((side, side), diameter, rng, look)
        if not made.labels.any():
            return None
        if textured and self.textures and rng.random() < BORROWED:
            made = self.textures.mixed_into(made, rng)
        parameters = Parameters(channel=0, nuclei_channel=1 if made.image[1].any() else None)
        return field_at(SOURCE, network_input(Image(made.image), parameters)[0], made.labels, mean_diameter)


def _empty_field(rng: np.random.Generator) -> Field:
    """An image without cells, in one or two channels."""
    planes = np.stack([empty_field((SIDE, SIDE), rng) for _ in range(rng.integers(1, 3))])
    parameters = Parameters(channel=0, nuclei_channel=1 if len(planes) == 2 else None)
    return field_at(SOURCE, network_input(Image(planes), parameters)[0], np.zeros((SIDE, SIDE), np.int32), None)
