"""Loads each pipeline that is named after the plugins folder and prints its settings by name, as JSON."""

from __future__ import annotations

import json
import sys

import cellprofiler_core.preferences

cellprofiler_core.preferences.set_headless()
cellprofiler_core.preferences.set_plugin_directory(sys.argv[1])

from cellprofiler_core.pipeline import Pipeline  # noqa: E402
from cellprofiler_core.utilities.core.modules import fill_modules  # noqa: E402

sys.path.insert(0, sys.argv[1])
fill_modules()
from cellspan_plugin.layout import LABELS  # noqa: E402

loaded = {}
for path in sys.argv[2:]:
    pipeline = Pipeline()
    pipeline.load(path)
    (module,) = pipeline.modules()
    loaded[path] = {name: getattr(module, name).value_text for name in LABELS}
print(json.dumps(loaded))
