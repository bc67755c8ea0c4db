"""Whatever goes wrong is raised in one sentence; there are never blank objects instead."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy
from _workspace import disks, message_of, new_module, run
from cellprofiler_core.image import Image


def with_settings(**values: Any) -> Any:
    module = new_module()
    for name, value in values.items():
        getattr(module, name).value = value
    return module


def is_one_sentence(text: str) -> bool:
    return text.endswith(".") and "\n" not in text and "Traceback" not in text


IMAGE = disks()

unknown = message_of(IMAGE, with_settings(model="Custom", custom_model="no_such_model"))
assert "no_such_model" in unknown, unknown
assert is_one_sentence(unknown), unknown

holes = IMAGE / 255.0
holes[5, 5] = numpy.inf
undefined = message_of(holes)
assert "NaN" in undefined, undefined
assert is_one_sentence(undefined), undefined

# CellProfiler would take the default in place of a number that it cannot accept
too_large = message_of(IMAGE, with_settings(automatic_diameter=False, diameter="5000"))
assert too_large.startswith("Typical diameter of objects, in pixels: "), too_large
assert "5000" in too_large

# Images that do not fit to one another are named
module = with_settings(model="Cells", use_nuclei_image=True, nuclei_image="Other")
for other in (IMAGE[:-1], Image(numpy.stack([IMAGE] * 2), dimensions=3)):
    unequal = message_of(IMAGE, module, Other=other)
    assert unequal == "Other and DNA differ in size; crop or resize both alike.", unequal

flat = message_of(Image(numpy.zeros((4, 32, 32), numpy.uint8), dimensions=3, spacing=(0.0, 1.0, 1.0)))
assert "NamesAndTypes" in flat, flat
assert is_one_sentence(flat), flat

# The engine goes on after every error
assert run(IMAGE).labels.max() > 0

# A Python without the engine cannot serve; the sentence is there without a service as well
record = Path(sys.argv[1]) / "cellspan_plugin" / "engine.json"
kept = record.read_text()
record.write_text(json.dumps({"command": ["/no/such/python", "-m", "cellspan.core.cli", "serve"]}))
gone = message_of(IMAGE)
record.write_text(kept)
assert "/no/such/python" in gone, gone
assert "`cellspan install cellprofiler --to " in gone, gone
