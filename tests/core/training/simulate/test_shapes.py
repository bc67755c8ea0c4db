"""Shapes of simulated cells: their outlines enclose the area that was asked for."""

import numpy as np
import pytest

from cellspan.core.training.simulate.shapes import SHAPES, distance, draw_outlines

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("shape", SHAPES)
def test_outlines_enclose_the_area_of_the_circle(shape: str) -> None:
    n, radius = 8, 20.0
    rng = np.random.default_rng(0)
    cells = draw_outlines(shape, np.zeros((n, 2)), rng.uniform(0, 3, n), np.full(n, radius), rng)
    grid = np.arange(-162, 162, 3.0)
    areas = []
    for k in range(n):
        inside = [[distance(y, x, cells.rows[k], cells.tables[k], cells.arms[k]) < 1 for x in grid] for y in grid]
        areas.append(9 * np.count_nonzero(inside))
        assert inside[len(grid) // 2][len(grid) // 2]
    # Arms come on top of the body.
    wanted = np.pi * radius**2
    assert wanted * 0.8 < np.median(areas) < wanted * (2.5 if shape in {"neurite", "neuron"} else 1.25)
