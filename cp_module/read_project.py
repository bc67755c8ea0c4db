"""Reads the pipeline in a CellProfiler project (.cpproj, HDF5), with h5py here or in CellProfiler's Python.

cellspan does not depend on h5py. The text of this file is also passed to CellProfiler's Python (3.8 or newer), in which
cellspan is not installed.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

PIPELINE = "Experiment/Pipeline_Pipeline/data"


def pipeline_in(path: str) -> str:
    """The text of the pipeline as CellProfiler would load it; '' if the project has none. Raises OSError."""
    h5py: Any = importlib.import_module("h5py")
    with h5py.File(path, "r") as file:
        runs = list(file["Measurements"].values()) if "Measurements" in file else []
        found = [run[PIPELINE][0] for run in runs if PIPELINE in run and len(run[PIPELINE])]
    return as_text(found[-1]) if found else ""


def as_text(stored: bytes | str) -> str:
    """The text in the forms of CellProfiler 3 and 4: as it is, or with escaped line ends."""
    text = stored.decode("utf-8") if isinstance(stored, bytes) else stored
    if "\n" in text or "\\n" not in text:
        return text
    return text.encode("latin-1", "backslashreplace").decode("unicode-escape")


if __name__ == "__main__":
    sys.stdout.buffer.write(pipeline_in(sys.argv[1]).encode("utf-8"))
