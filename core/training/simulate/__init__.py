"""Simulated microscope fields with true labels: nuclei alone, and cells of many kinds in many looks."""

from cellspan.core.training.simulate.cells import simulate_cells
from cellspan.core.training.simulate.field import SimulatedField
from cellspan.core.training.simulate.looks import LOOKS
from cellspan.core.training.simulate.nuclei import simulate_nuclei
from cellspan.core.training.simulate.shapes import SHAPES

__all__ = ["LOOKS", "SHAPES", "SimulatedField", "simulate_cells", "simulate_nuclei"]
