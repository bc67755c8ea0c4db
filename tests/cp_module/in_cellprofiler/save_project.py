"""Saves a pipeline as a project: arguments are plugins folder, pipeline, project and, for its text as it is, a word."""

from __future__ import annotations

import sys
from pathlib import Path

import cellprofiler_core.preferences

cellprofiler_core.preferences.set_headless()
cellprofiler_core.preferences.set_plugin_directory(sys.argv[1])

from cellprofiler_core.constants.pipeline import M_PIPELINE  # noqa: E402
from cellprofiler_core.measurement import Measurements  # noqa: E402
from cellprofiler_core.pipeline import Pipeline  # noqa: E402
from cellprofiler_core.utilities.core.modules import fill_modules  # noqa: E402

sys.path.insert(0, sys.argv[1])
fill_modules()

project = Measurements(filename=sys.argv[3], mode="w")
if len(sys.argv) > 4:
    project.add_experiment_measurement(M_PIPELINE, Path(sys.argv[2]).read_text())
else:
    pipeline = Pipeline()
    pipeline.load(sys.argv[2])
    pipeline.write_pipeline_measurement(project)
project.close()
