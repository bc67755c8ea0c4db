"""How long 5,000 outlines of about 60 points take into the ROI Manager: as Java objects, and through a RoiSet.zip.

    xvfb-run -a python tests/bench/rois_to_imagej.py [--objects 5000] [--repeats 5]

Both routes begin with the same label image and end with a ROI Manager that holds every outline. Needs the extra [fiji],
Java and a display.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cellspan.core.objects.labels import Labels
from cellspan.core.objects.outlines import labels_to_rois, trace_outlines, write_roi_zip
from cellspan.fiji_bridge import connect, rois_to_imagej
from cellspan.fiji_bridge.gateway import java_class, on_event_thread
from cellspan.fiji_bridge.rois import labels_to_java_rois

RADIUS = 14.5  # pixels; such a disk has an outline of 60 corners
CELL = 32  # side of the square that each disk lies in


def disks(count: int) -> Labels:
    """A label image of so many round objects."""
    columns = int(np.ceil(np.sqrt(count)))
    y, x = np.mgrid[:CELL, :CELL] - (CELL - 1) / 2
    disk = np.hypot(y, x) < RADIUS
    numbers = np.arange(1, columns**2 + 1).reshape(columns, columns)
    numbers[numbers > count] = 0
    return (numbers.repeat(CELL, 0).repeat(CELL, 1) * np.tile(disk, (columns, columns))).astype(np.int32)


def manager() -> object:
    """The ROI Manager, empty."""
    found = java_class("ij.plugin.frame.RoiManager").getRoiManager()
    on_event_thread(found.reset)
    return found


def through_objects(labels: Labels) -> None:
    """What `rois_to_imagej` does."""
    rois_to_imagej(labels)


def through_a_file(labels: Labels) -> None:
    """A RoiSet.zip that ImageJ opens."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "RoiSet.zip"
        write_roi_zip(path, labels_to_rois(labels))
        roi_manager = java_class("ij.plugin.frame.RoiManager").getRoiManager()
        on_event_thread(lambda: roi_manager.runCommand("Open", str(path)) and None)


def seconds_of(work: Callable[[], object], repeats: int, before: Callable[[], object] = lambda: None) -> list[float]:
    """The time of each of several runs, after a first one that does not count."""
    times = []
    for _ in range(repeats + 1):
        before()
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return times[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    labels = disks(options.objects)
    loops = trace_outlines(labels)
    corners = statistics.mean(len(loop) for own in loops for loop in own)
    imagej = connect(headless=False)
    print(f"ImageJ {imagej.version}, {len(loops)} outlines of {corners:.0f} points, {labels.shape[1]} pixels wide")
    parts = {
        "outlines traced": lambda: trace_outlines(labels),
        "outlines as Java objects": lambda: labels_to_java_rois(labels),
    }
    for name, work in parts.items():
        print(f"{name:40s} {report(seconds_of(work, options.repeats))}")
    for name, route in (
        ("labels -> ROI Manager, Java objects", through_objects),
        ("labels -> RoiSet.zip -> ROI Manager", through_a_file),
    ):
        times = seconds_of(lambda route=route: route(labels), options.repeats, manager)
        held = java_class("ij.plugin.frame.RoiManager").getInstance().getCount()
        if held != options.objects:
            raise SystemExit(f"{name}: the ROI Manager holds {held} outlines.")
        print(f"{name:40s} {report(times)}")


def report(times: list[float]) -> str:
    return f"median {statistics.median(times):.2f} s  (best {min(times):.2f}, worst {max(times):.2f})"


if __name__ == "__main__":
    main()
