"""Loads each pipeline that is named after the plugins folder and prints as JSON what CellProfiler made of it.

Of each pipeline: its modules with what their first lines say, and the settings of ours by name.
"""

from __future__ import annotations

import json
import sys

import cellprofiler_core.preferences

cellprofiler_core.preferences.set_headless()
cellprofiler_core.preferences.set_plugin_directory(sys.argv[1])

from cellprofiler_core.pipeline import Pipeline  # noqa: E402
from cellprofiler_core.setting import ValidationError  # noqa: E402
from cellprofiler_core.utilities.core.modules import fill_modules  # noqa: E402

sys.path.insert(0, sys.argv[1])
fill_modules()
from cellspan_plugin.layout import LABELS, MODULE  # noqa: E402

STATE = ("module_name", "module_num", "enabled", "show_window", "wants_pause", "notes")


def fault(pipeline, module):
    """What the pipeline editor would show, or nothing."""
    try:
        module.test_valid(pipeline)
    except ValidationError as error:
        return str(error)
    return ""


loaded = {}
for path in sys.argv[2:]:
    pipeline = Pipeline()
    pipeline.load(path)
    modules = pipeline.modules(exclude_disabled=False)
    ours = [module for module in modules if module.module_name == MODULE]
    loaded[path] = {
        "modules": [{name: getattr(module, name) for name in STATE} for module in modules],
        "ours": [{name: getattr(module, name).value_text for name in LABELS} for module in ours],
        "faults": [fault(pipeline, module) for module in ours],
    }
print(json.dumps(loaded))
