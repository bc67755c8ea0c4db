"""Simulated microscope fields with true labels: nuclei alone, and cells of many kinds in many looks.

The names are loaded when they are first used, because cells need OpenCV, which comes with the extra `train`, and nuclei
do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellspan.core.machine.public_names import loader

if TYPE_CHECKING:
    from cellspan.core.training.simulate.cells import simulate_cells as simulate_cells
    from cellspan.core.training.simulate.field import SimulatedField as SimulatedField
    from cellspan.core.training.simulate.looks import LOOKS as LOOKS
    from cellspan.core.training.simulate.nuclei import simulate_nuclei as simulate_nuclei
    from cellspan.core.training.simulate.shapes import SHAPES as SHAPES

_HOMES = {
    "LOOKS": "looks",
    "SHAPES": "shapes",
    "SimulatedField": "field",
    "simulate_cells": "cells",
    "simulate_nuclei": "nuclei",
}
__all__ = sorted(_HOMES)
__getattr__ = loader(__name__, _HOMES)
