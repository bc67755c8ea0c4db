"""Prints the settings as JSON, for a comparison with the engine's options."""

from __future__ import annotations

import json

from _workspace import new_module
from identifyobjectsbyflow import IdentifyObjectsByFlow

NUMBERS = ("diameter", "flow_threshold", "cellprob_threshold", "min_size", "anisotropy", "stitch_threshold")
NUMBERS += ("tile_overlap", "smooth_flows")

module = new_module()
report = {
    name: {"value": setting.value, "min": setting.min_value, "max": setting.max_value}
    for name, setting in ((name, getattr(module, name)) for name in NUMBERS)
}
at_first = IdentifyObjectsByFlow()
module.automatic_diameter.value = False
print(json.dumps({"numbers": report, "sent": module.parameters(), "discard_border": at_first.discard_border.value}))
