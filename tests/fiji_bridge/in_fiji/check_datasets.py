"""`connect` starts a Fiji through pyimagej; a Dataset has its axes and gives the labels that its array gives."""

from __future__ import annotations

import sys

import numpy as np
import scyjava
import xarray

from cellspan.core import Parameters
from cellspan.core.training.simulate import simulate_nuclei
from cellspan.fiji_bridge import connect, segment
from cellspan.fiji_bridge.axes import array_and_axes, in_order

fiji, home = sys.argv[1:]
scyjava.config.add_option(f"-Duser.home={home}")  # where Fiji keeps its settings
imagej = connect(fiji)
assert imagej.pyimagej is not None
assert imagej is connect(fiji)

plane = simulate_nuclei((128, 128), diameter=24, seed=2).image
stack = np.zeros((2, 3, *plane.shape, 2), plane.dtype)  # t, pln, row, col, ch
stack[0, 1, ..., 1] = stack[1, 2, ..., 1] = plane
lapse = xarray.DataArray(stack, dims=("t", "pln", "row", "col", "ch"))
dataset = imagej.pyimagej.py.to_dataset(lapse)

pixels, axes = in_order(*array_and_axes(dataset))
assert axes == "TZCYX"
np.testing.assert_array_equal(pixels, stack.transpose(0, 1, 4, 2, 3))

parameters = Parameters(model="nuclei", diameter=24, channel=1)
found, expected = segment(dataset, parameters), segment(lapse, parameters)
assert found.axes == expected.axes == "TZYX"
assert found.count > 0
np.testing.assert_array_equal(found.labels, expected.labels)
