"""Runs inside CellProfiler's Python for cellprofiler_overhead.py: times and memory of the module."""

from __future__ import annotations

import resource
import sys
import time

import numpy
from _workspace import new_module, run

picture = numpy.load(sys.argv[2])
picture = (255 * (picture - picture.min()) / numpy.ptp(picture)).astype(numpy.uint8)

extra = []
for round_ in range(12):
    module = new_module()
    module.automatic_diameter.value = False
    started = time.perf_counter()
    done = run(picture, module)
    seconds = time.perf_counter() - started
    if round_ > 1:  # the first ones start the engine and load the model
        engine = done.workspace.measurements.get_current_image_measurement("Flow_Seconds_Nuclei")
        extra.append(1000 * (seconds - engine))
print(
    f"1024x1024, {done.labels.max()} nuclei: module less engine, median {numpy.median(extra):.0f} ms, "
    f"from {min(extra):.0f} to {max(extra):.0f}"
)

small = picture[:256, :256]
peaks = []
for number in range(int(sys.argv[3])):
    run(small, module)
    if number in (20, int(sys.argv[3]) - 1):
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
print(f"memory of CellProfiler after 20 image sets {peaks[0]:.0f} MB, after {sys.argv[3]} {peaks[-1]:.0f} MB")
