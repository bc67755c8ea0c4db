"""Runs inside CellProfiler's Python for cellprofiler_overhead.py: times and memory of the module, and of test mode."""

from __future__ import annotations

import resource
import sys
import time

import numpy
from _workspace import new_module, prepare, run

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

seconds = []
for round_ in range(12):  # a person who changes a threshold in test mode
    module = new_module()
    module.automatic_diameter.value = False
    module.cellprob_threshold.value = 0.1 * round_
    prepared = prepare(picture, module)
    prepared.workspace.pipeline.test_mode = True
    started = time.perf_counter()
    module.run(prepared.workspace)
    if round_ > 1:  # the first one runs the network
        seconds.append(1000 * (time.perf_counter() - started))
print(f"a changed threshold in test mode: median {numpy.median(seconds):.0f} ms, to {max(seconds):.0f}")

small = picture[:256, :256]
peaks = []
for number in range(int(sys.argv[3])):
    run(small, module)
    if number in (20, int(sys.argv[3]) - 1):
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
print(f"memory of CellProfiler after 20 image sets {peaks[0]:.0f} MB, after {sys.argv[3]} {peaks[-1]:.0f} MB")
