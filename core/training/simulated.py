"""Simulated fields as a source of training: a pool that depends on the seed and the step, never on timing."""

from __future__ import annotations

import numpy as np

from cellspan.core.images import Image, network_input
from cellspan.core.parameters import Parameters
from cellspan.core.training.data import Field, field_at
from cellspan.core.training.simulate import simulate_cells

SOURCE = "simulated"
POOL = 160  # fields at a time
EVERY = 2  # steps after which one field of the pool is replaced: half a field costs less than a tenth of a step
SIDE = 288  # pixels of a field at the model's resolution
DIAMETERS = (10.0, 45.0)  # pixels in the simulated image, so that some cells come magnified and others shrunk
TRAINING, VALIDATION = 0, 1  # streams of random numbers


class SimulatedPool:
    """At each step the next POOL fields of an endless sequence; field i comes from the seed and i alone."""

    def __init__(self, seed: int, mean_diameter: float) -> None:
        """`mean_diameter` in pixels is that of the model."""
        self.seed, self.mean_diameter = seed, mean_diameter
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

    def _field(self, stream: int, i: int) -> Field:
        # Again, with the next random numbers, where a field has no cells, which is rare.
        rng = np.random.default_rng((self.seed, stream, i))
        while True:
            diameter = float(np.exp(rng.uniform(*np.log(DIAMETERS))))
            side = round(SIDE * diameter / self.mean_diameter)
            made = simulate_cells((side, side), diameter, rng)
            image = Image(made.image)
            parameters = Parameters(channel=0, nuclei_channel=1 if made.image[1].any() else None)
            field = field_at(SOURCE, network_input(image, parameters)[0], made.labels, self.mean_diameter)
            if field is not None:
                return field
