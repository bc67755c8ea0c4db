"""The other name of the module, which people find who search for cells: it adds the module itself."""

from __future__ import annotations

import io
import sys

import cellprofiler_core.preferences

cellprofiler_core.preferences.set_headless()
cellprofiler_core.preferences.set_plugin_directory(sys.argv[1])

from cellprofiler_core.pipeline import Pipeline  # noqa: E402
from cellprofiler_core.utilities.core.modules import (  # noqa: E402
    fill_modules,
    get_module_names,
    instantiate_module,
)

sys.path.insert(0, sys.argv[1])
fill_modules()
names = get_module_names()
for word in ("segment", "cell", "nuclei", "flow"):  # CellProfiler's "Find Modules" looks for the text in the names
    assert any(word in name.lower() for name in names if name in ("SegmentCellsAndNuclei", "IdentifyObjectsByFlow"))
assert {"SegmentCellsAndNuclei", "IdentifyObjectsByFlow"} <= set(names)

module = instantiate_module("SegmentCellsAndNuclei")
assert module.module_name == "IdentifyObjectsByFlow"
module.set_module_num(1)
assert module.get_help() == instantiate_module("IdentifyObjectsByFlow").get_help()
pipeline = Pipeline()
pipeline.add_module(module)
text = io.StringIO()
pipeline.dump(text, save_image_plane_details=False)
assert "IdentifyObjectsByFlow:[module_num:1|" in text.getvalue()
assert "SegmentCells" not in text.getvalue()

# A pipeline that somebody wrote with the other name loads as well
other = Pipeline()
other.load(io.StringIO(text.getvalue().replace("IdentifyObjectsByFlow:[", "SegmentCellsAndNuclei:[")))
(loaded,) = other.modules()
assert loaded.module_name == "IdentifyObjectsByFlow"
assert [setting.value_text for setting in loaded.settings()] == [setting.value_text for setting in module.settings()]
