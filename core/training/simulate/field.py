"""The result of a simulation: an image and its true labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from cellspan.core.objects.labels import Labels


@dataclass(frozen=True)
class SimulatedField:
    """A simulated image, its true labels (Y, X), and the names of its look and of the shape of its cells.

    `image` is (Y, X) of 16 bit for `simulate_nuclei`; for `simulate_cells` it is (2, Y, X) of float32 in grey values:
    what to segment, and the nuclei (zeros where the microscope had no such channel).
    """

    image: NDArray[Any]
    labels: Labels
    look: str = "nuclei"
    shape: str = "round"
