"""Peak memory of `cellspan segment --do-3d` on 512x2048x2048 voxels of 16 bits: `python -m tests.bench.volume_memory`.

The stack is a simulated one, repeated; nuclei have a diameter of 90 pixels, so that the network has to look at 41
million cubic voxels instead of 2 billion and the run takes minutes instead of hours. Input and output are the same.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import tifffile

from cellspan.core.training.simulate.volumes import simulated_volume

SHAPE = (512, 2048, 2048)
PART = (128, 512, 512)
DIAMETER = 90.0
ASKED = 4.0  # GB
POLL = 0.1  # seconds


def write_stack(path: Path) -> int:
    """A simulated stack, mirrored and repeated; the number of its nuclei, roughly."""
    part, labels = simulated_volume(0, PART, diameter=DIAMETER)
    rows, columns = (whole // piece for whole, piece in zip(SHAPE[1:], PART[1:], strict=True))
    planes = (np.tile(part[z % PART[0]], (rows, columns)) for z in range(SHAPE[0]))
    tifffile.imwrite(path, planes, shape=SHAPE, dtype=part.dtype, bigtiff=True, metadata={"axes": "ZYX"})
    return int(labels.max()) * rows * columns * (SHAPE[0] // PART[0])


def peak_memory(command: list[str]) -> tuple[float, float]:
    """Gigabytes and seconds of a command with all that it starts."""
    started, peak = time.perf_counter(), 0
    process = psutil.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        family = [process, *process.children(recursive=True)]
        peak = max(peak, sum(_resident(member) for member in family))
        time.sleep(POLL)
    if process.returncode:
        raise SystemExit(f"the command failed: {' '.join(command)}")
    return peak / 1e9, time.perf_counter() - started


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it has just ended
        return 0


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="for 4 GB of input and up to 20 GB of results")
    with tempfile.TemporaryDirectory(dir=parser.parse_args().folder) as name:
        folder = Path(name)
        nuclei = write_stack(folder / "stack.tif")
        options = ["--model", "nuclei", "--do-3d", "--anisotropy", "1", "--diameter", f"{DIAMETER:g}"]
        outputs = ["-o", str(folder / "out"), "--save", "labels,overlay,table"]
        command = [sys.executable, "-m", "cellspan.core.cli", "segment", str(folder / "stack.tif"), *outputs, *options]
        memory, seconds = peak_memory(command)
        objects = len((folder / "out" / "stack_objects.csv").read_text().splitlines()) - 1
        print(
            f"peak memory {memory:.2f} GB (asked {ASKED:g}), {seconds:.0f} s, {objects} objects; about {nuclei} nuclei"
        )


if __name__ == "__main__":
    main()
