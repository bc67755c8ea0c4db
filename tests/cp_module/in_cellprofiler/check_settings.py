"""Settings: what is shown when, help for each, and what the pipeline editor says about a bad one."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from _workspace import new_module
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.setting import ValidationError
from cellspan_plugin import engine
from cellspan_plugin.layout import DEFAULTS, ENGINE_PATH, LABELS, NUCLEI_EXIST, REVISION, SINCE_3, SLICES, upgraded
from identifyobjectsbyflow import IdentifyObjectsByFlow

PLUGINS = Path(sys.argv[1])


def shown(module: Any) -> list:
    return [setting.text for setting in module.visible_settings()]


def complaint(module: Any) -> str:
    try:
        module.validate_module(Pipeline())
    except ValidationError as error:
        return str(error)
    return ""


module = new_module()
assert module.category == "Object Processing"
assert module.volumetric()
assert "Custom" not in "".join(shown(module))
assert not any(text.startswith("Typical diameter") for text in shown(module))
module.model.value = "Custom"
module.automatic_diameter.value = False
assert shown(module)[:4] == [LABELS[name] for name in ("x_name", "y_name", "model", "custom_model")]
assert len(module.settings()) == len(LABELS)

# A new module is as the layout says, and every choice shows what it needs and hides the rest
assert [setting.value_text for setting in IdentifyObjectsByFlow().settings()][2:] == list(DEFAULTS.values())[2:]
reveals = {
    "use_nuclei_image": ("Yes", ["nuclei_image"]),
    "discard_by_diameter": ("Yes", ["diameter_range"]),
    "save_probability": ("Yes", ["probability_name"]),
    "save_flows": ("Yes", ["flows_name"]),
    "engine_choice": (ENGINE_PATH, ["engine_path"]),
    "method_3d": (SLICES, ["stitch_threshold"]),
}
for name, (value, revealed) in reveals.items():
    setting, before = getattr(module, name), set(shown(module))
    old = setting.value_text
    setting.set_value_text(value)
    assert set(shown(module)) - before == {LABELS[other] for other in revealed}, name
    setting.set_value_text(old)
module.together.value = True
pairing = ("nuclei_image", "nuclei_from", "nuclei_name", "nuclei_diameter", "cytoplasm_name", "without_nucleus")
assert {LABELS[name] for name in pairing} <= set(shown(module))
module.nuclei_from.value = NUCLEI_EXIST
assert LABELS["nuclei_objects"] in shown(module)
assert not {LABELS[name] for name in ("nuclei_image", "nuclei_name", "without_cell")} & set(shown(module))
module.model.value = "Nuclei"
assert complaint(module).startswith("To identify cells and nuclei together, select a model for cells"), complaint(
    module
)
module.model.value = "Custom"
module.together.value = False

for setting in module.settings():
    assert len(setting.doc) > 40, setting.text
assert "<h1" in module.get_help()
assert "cellspan engine" in module.get_help()
assert "system-message" not in module.get_help(), "the help is faulty reStructuredText"

# Settings of 3D images are shown, as the last ones, unless the pipeline that is open has none
assert shown(module)[-2:] == [LABELS["method_3d"], LABELS["anisotropy"]]
for is_3d in (False, True):
    pipeline = Pipeline()
    pipeline.set_volumetric(is_3d)
    module.on_activated(SimpleNamespace(pipeline=pipeline))
    assert {LABELS[name] for name in SINCE_3[:2]} & set(shown(module)) == {
        LABELS[name] for name in SINCE_3[:2] if is_3d
    }

# A custom model needs a name
assert complaint(module) == "Enter the name of the model, or the path to it."
module.custom_model.value = "cellpose/cyto"  # what migrated pipelines have
assert module.model_name() == "cellpose/cyto"
module.custom_model.value = "mine"
assert complaint(module) == ""

# Names go as they are; paths become absolute, because the engine runs in another folder
assert module.parameters()["model"] == "mine"
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    Path("mine").mkdir()
    assert module.parameters()["model"] == "mine", "a folder of the same name does not replace a model"
    module.custom_model.value = " ./my models/mine "
    assert module.parameters()["model"] == str(Path(folder).resolve() / "my models" / "mine")
    os.chdir("/")
module.custom_model.value = "~/mine"
assert module.parameters()["model"] == str(Path.home() / "mine")

# A missing engine is told in the editor, in one sentence with the commands to run
record = PLUGINS / "cellspan_plugin" / "engine.json"
kept = record.with_suffix(".kept")
shutil.move(str(record), str(kept))
sentence = complaint(module)
shutil.move(str(kept), str(record))
assert "`pip install cellspan`" in sentence, sentence
assert "`cellspan install cellprofiler --to " in sentence, sentence
assert str(PLUGINS) in sentence, sentence
assert "\n" not in sentence
assert engine.engine_command()

# The engine may be another one: a program, or a Python
module.engine_choice.value = ENGINE_PATH
module.engine_path.value = "/no/such/cellspan"
assert complaint(module).startswith("There is no program '/no/such/cellspan'"), complaint(module)
module.engine_path.value = sys.executable
assert complaint(module) == ""
assert module.engine_command()[1:] == ["-m", "cellspan.core.cli", "serve"]
module.engine_choice.value = "Automatic"

# Older revisions get what they lack, and what they have stays
first = [f"value {k}" for k in range(len(LABELS) - len(SINCE_3))]
assert upgraded(first, 2) == ([*first, *(DEFAULTS[name] for name in SINCE_3)], REVISION)

# Settings survive being written and read
values = [setting.value_text for setting in module.settings()]
copy = new_module()
copy.set_settings_from_values(values, REVISION, "identifyobjectsbyflow.IdentifyObjectsByFlow")
assert [setting.value_text for setting in copy.settings()] == values
