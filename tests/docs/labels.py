"""The labels of the CellProfiler module's settings, read without CellProfiler."""

from __future__ import annotations

import runpy
from functools import cache
from importlib.resources import files

LAYOUT = "plugin/cellspan_plugin/layout.py"  # imports nothing, so it runs anywhere


@cache
def plugin_labels() -> dict[str, str]:
    """Attribute of the module -> label of its setting."""
    labels: dict[str, str] = runpy.run_path(str(files("cellspan.cp_module").joinpath(LAYOUT)))["LABELS"]
    return labels
