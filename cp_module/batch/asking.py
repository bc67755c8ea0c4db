"""Asks CellProfiler's Python about the modules of a pipeline and about the image sets of a run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

from cellspan.cp_module.batch.cellprofiler import CellProfiler, environment
from cellspan.cp_module.batch.dependence import Told

MODULES, SETS = (Path(__file__).with_name(name) for name in ("ask_modules.py", "ask_sets.py"))
ASK_SECONDS = 600.0  # CellProfiler imports all of its modules, from a slow disk perhaps


def ask_modules(
    cellprofiler: CellProfiler, pipeline: Path, plugins: Path, images: Path, output: Path
) -> dict[int, Told]:
    """What is told of each module, by its number; empty if CellProfiler has no Python or cannot load the pipeline."""
    told = _ask(cellprofiler, MODULES, pipeline, plugins, images, output) or []
    return {
        module["number"]: Told(
            module["name"],
            module["builtin"],
            tuple(module["hooks"]),
            module["aggregates"],
            tuple((text, value) for text, value in module["settings"]),
            module["fault"],
        )
        for module in told
    }


def ask_sets(cellprofiler: CellProfiler, batch: Path) -> dict[str, Any] | None:
    """The `files` (image set -> channel -> address) and `groups` (metadata, image sets) of Batch_data.h5.

    Its image sets are put in the order of a run. None if CellProfiler has no Python that answers.
    """
    told: dict[str, Any] | None = _ask(cellprofiler, SETS, batch)
    return told


def _ask(cellprofiler: CellProfiler, script: Path, *paths: Path) -> Any:
    if cellprofiler.python is None:
        return None
    mark = f"cellspan-{uuid4().hex} "  # marks our line in CellProfiler's output
    command = [cellprofiler.python, "-c", script.read_text(encoding="utf-8"), *map(str, paths), mark]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            env=environment(),
            timeout=ASK_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    line = next((line for line in done.stdout.splitlines() if line.startswith(mark)), None)
    return None if line is None else json.loads(line.removeprefix(mark))
