"""What the module adds to the engine's time, to CellProfiler's memory: `python -m tests.bench.cellprofiler_overhead`.

A real CellProfiler (its Python is given by --cellprofiler) runs the installed module on a 1024x1024 field of simulated
nuclei: the time of the module less the engine's own seconds, that of a changed threshold in test mode, and the growth
of the process over many image sets.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from cellspan.core.training.simulate import simulate_nuclei
from cellspan.cp_module.install import install

WORKER = Path(__file__).parent / "cellprofiler_overhead_worker.py"


def main() -> None:
    """Make the picture, install the module into a fresh folder, run the worker with CellProfiler's Python."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cellprofiler", default=os.environ.get("CELLSPAN_CELLPROFILER_PYTHON"), required=False)
    parser.add_argument("--sets", type=int, default=500, help="image sets of 256x256 for the memory")
    arguments = parser.parse_args()
    if not arguments.cellprofiler:
        parser.error("give the Python that has CellProfiler: --cellprofiler PATH")
    with tempfile.TemporaryDirectory() as folder:
        plugins = Path(folder) / "plugins"
        plugins.mkdir()
        install(plugins)
        picture = Path(folder) / "field.npy"
        np.save(picture, simulate_nuclei((1024, 1024), 30, coverage=0.15, seed=1).image.astype(np.float32))
        scripts = Path(__file__).parents[1] / "cp_module" / "in_cellprofiler"
        environment = {**os.environ, "CELLSPAN_RUNTIME_DIR": folder, "PYTHONPATH": str(scripts)}
        command = [arguments.cellprofiler, str(WORKER), str(plugins), str(picture), str(arguments.sets)]
        subprocess.run(command, env=environment, check=True)
        stop = [sys.executable, "-m", "cellspan.core.cli", "service", "stop"]
        subprocess.run(stop, env={**os.environ, "CELLSPAN_RUNTIME_DIR": folder}, check=False)


if __name__ == "__main__":
    main()
