"""Asks CellProfiler's Python what the modules of a pipeline say about themselves."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from uuid import uuid4

from cellspan.cp_module.batch.cellprofiler import CellProfiler, environment
from cellspan.cp_module.batch.dependence import Told

ASK = Path(__file__).with_name("ask_modules.py")
ASK_SECONDS = 300.0  # CellProfiler imports all of its modules, from a slow disk perhaps


def ask_modules(
    cellprofiler: CellProfiler, pipeline: Path, plugins: Path, images: Path, output: Path
) -> dict[int, Told]:
    """What is told of each module, by its number; empty if CellProfiler has no Python or cannot load the pipeline."""
    if cellprofiler.python is None:
        return {}
    mark = f"cellspan-{uuid4().hex} "  # marks our line in CellProfiler's output
    folders = [str(folder) for folder in (pipeline, plugins, images, output)]
    command = [cellprofiler.python, "-c", ASK.read_text(encoding="utf-8"), *folders, mark]
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
        return {}
    line = next((line for line in done.stdout.splitlines() if line.startswith(mark)), mark + "[]")
    return {
        answer["number"]: Told(
            answer["name"],
            answer["builtin"],
            tuple(answer["hooks"]),
            answer["aggregates"],
            tuple((text, value) for text, value in answer["settings"]),
            answer["fault"],
        )
        for answer in json.loads(line.removeprefix(mark))
    }
