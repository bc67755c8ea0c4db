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
from cellspan_plugin.layout import (
    ADVANCED,
    BASIC,
    DEFAULTS,
    ENGINE_PATH,
    LABELS,
    LIMITS,
    MASK_IMAGE,
    MASK_OBJECTS,
    NUCLEI_EXIST,
    OF_3D_IMAGES,
    REVISION,
    SINCE_3,
    SINCE_4,
    SINCE_5,
    SLICES,
    upgraded,
)
from cellspan_plugin.partners import OFFERED
from identifyobjectsbyflow import IdentifyObjectsByFlow

PLUGINS = Path(sys.argv[1])


def shown(module: Any) -> list:
    return [setting.text for setting in module.visible_settings()]


def complaint(module: Any, pipeline: Any = None) -> str:
    try:
        module.validate_module(pipeline or Pipeline())
    except ValidationError as error:
        return str(error)
    return ""


module = new_module()
assert module.category == "Object Processing"
assert module.volumetric()
assert "Custom" not in "".join(shown(module))

# At first, a new module for 2D images shows as much as IdentifyPrimaryObjects does
module = IdentifyObjectsByFlow()
module.set_module_num(1)
pipeline = Pipeline()
pipeline.add_module(module)
module.on_activated(SimpleNamespace(pipeline=pipeline))
simplest = ("advanced", "x_name", "y_name", "model", "automatic_diameter", "discard_border")
assert shown(module) == [LABELS[name] for name in simplest], shown(module)
assert sorted((*BASIC, *ADVANCED)) == sorted(LABELS)
assert IdentifyObjectsByFlow().y_name.value == "Nuclei"
assert module.discard_border.value
module.model.value = "Cells"
assert {LABELS[name] for name in ("use_nuclei_image", "together")} <= set(shown(module))

# The objects are named after the model, until the user or another module has a name for them
module.on_setting_changed(module.model, pipeline)
assert module.y_name.value == "Cells"
module.y_name.value = "Mine"
module.model.value = "Nuclei"
module.on_setting_changed(module.model, pipeline)
assert module.y_name.value == "Mine"
other = new_module()
other.set_module_num(2)
pipeline.add_module(other)
other.nuclei_objects.value = module.y_name.value = "Nuclei"
module.model.value = "Cells"
module.on_setting_changed(module.model, pipeline)
assert module.y_name.value == "Nuclei", "a later module takes objects of this name"

# Cells and nuclei together have two names: the nuclei keep theirs, and with it the modules that take them
both = new_module()
both.model.value, both.together.value = "Cells", True
both.on_setting_changed(both.together, pipeline)
assert (both.y_name.value, both.nuclei_name.value, complaint(both)) == ("Cells", "Nuclei", "")
for same in ("nuclei_name", "cytoplasm_name"):
    getattr(both, same).value = "Cells"
    assert complaint(both) == "Two kinds of objects are called Cells; enter another name for one of them.", same
    getattr(both, same).value = DEFAULTS[same]
both.nuclei_from.value, both.nuclei_objects.value = NUCLEI_EXIST, "Cells"
assert complaint(both).startswith("Two kinds of objects are called Cells;")
both.nuclei_objects.value = "Nuclei"
assert complaint(both) == ""
both.save_probability.value = both.save_flows.value = True
both.flows_name.value = both.probability_name.value
assert complaint(both).startswith("Two kinds of images are called")

# Nor may another module make objects of that name: of the module that this one replaces, while it is still there
clash = "IdentifyObjectsByFlow #2 makes objects called Nuclei as well; remove it, or enter another name here."
new = new_module()
assert complaint(new, pipeline) == clash
new.y_name.value = "New"
assert complaint(new, pipeline) == ""
new.y_name.value, other.enabled = "Nuclei", False
assert complaint(new, pipeline) == ""

# Advanced settings have an effect only while they are shown
module.min_size.value, module.flow_threshold.value, module.iterations.value = 90, 0.9, 700
module.engine_choice.value, module.engine_path.value = ENGINE_PATH, "/no/such/cellspan"
assert module.chosen("min_size") == int(DEFAULTS["min_size"])
assert module.parameters()["flow_threshold"] == float(DEFAULTS["flow_threshold"])
assert module.parameters()["iterations"] is None
assert complaint(module) == ""
module.advanced.value = True
assert module.chosen("min_size") == 90
assert (module.parameters()["flow_threshold"], module.parameters()["iterations"]) == (0.9, 700)
assert "/no/such/cellspan" in complaint(module)

# What an older pipeline has switched on stays to be seen, because it has an effect
module.model.value, module.use_nuclei_image.value = "Nuclei", True
assert {LABELS["use_nuclei_image"], LABELS["nuclei_image"]} <= set(shown(module))
assert LABELS["together"] not in shown(module)
module = new_module()
assert not any(text.startswith("Typical diameter") for text in shown(module))
module.model.value = "Custom"
module.automatic_diameter.value = False
assert shown(module)[1:5] == [LABELS[name] for name in ("x_name", "y_name", "model", "custom_model")]
# The button that downloads models stands below the list, and not in the pipeline file
assert module.visible_settings()[5] is module.download
assert module.download not in module.settings()
assert len(module.settings()) == len(LABELS)
module.model.value = "Cells"
assert module.download not in module.visible_settings()
module.model.value = "Custom"

# A new module is as the layout says, and every choice shows what it needs and hides the rest
assert [setting.value_text for setting in IdentifyObjectsByFlow().settings()][2:] == list(DEFAULTS.values())[2:]
reveals = {
    "use_nuclei_image": ("Yes", ["nuclei_image"]),
    "discard_by_diameter": ("Yes", ["diameter_range"]),
    "save_probability": ("Yes", ["probability_name"]),
    "save_flows": ("Yes", ["flows_name"]),
    "restore": ("Yes", ["restoring_model", "save_restored"]),
    "engine_choice": (ENGINE_PATH, ["engine_path"]),
    "method_3d": (SLICES, ["stitch_threshold"]),
    "second_image": ("Red", ["third_image", "combine"]),
    "where": (MASK_IMAGE, ["mask_image"]),
}
for name, (value, revealed) in reveals.items():
    setting, before = getattr(module, name), set(shown(module))
    old = setting.value_text
    setting.set_value_text(value)
    assert set(shown(module)) - before == {LABELS[other] for other in revealed}, name
    setting.set_value_text(old)
module.where.value = MASK_OBJECTS
assert LABELS["mask_objects"] in shown(module)
of_percentiles = {LABELS[name] for name in ("percentiles", "tile_norm", "sharpen", "smooth")}
assert of_percentiles <= set(shown(module))
module.scaling.value = LIMITS
assert LABELS["limits"] in shown(module)
assert not of_percentiles & set(shown(module))
module = new_module()
module.model.value = "Custom"
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
assert shown(module)[-2:] == [LABELS["anisotropy"], LABELS["smooth_flows"]]
of_3d = {LABELS[name] for name in OF_3D_IMAGES if name != "stitch_threshold"}
for is_3d in (False, True):
    pipeline = Pipeline()
    pipeline.set_volumetric(is_3d)
    module.on_activated(SimpleNamespace(pipeline=pipeline))
    assert of_3d & set(shown(module)) == (of_3d if is_3d else set())

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

# Restoring: which model for which channel, and two images may not have one name
module.custom_model.value, module.restore.value = "mine", True
assert module.parameters()["restore"] == "denoise_cyto3"
assert module.nuclei_parameters()["restore"] == "denoise_nuclei"
module.restoring_model.value = "cellpose/deblur_per_cyto2"
assert module.nuclei_parameters()["restore"] == "deblur_nuclei"
module.restoring_model.value = "ours"
assert module.nuclei_parameters()["restore"] == "ours"
module.restoring_model.value = " "
assert complaint(module) == "Enter the name of the model that restores images."
module.restoring_model.value, module.save_restored.value, module.save_flows.value = "ours", True, True
assert complaint(module) == ""
module.restored_name.value = module.flows_name.value
assert complaint(module).startswith("Two kinds of images are called")
module.save_restored.value = module.save_flows.value = False
module.advanced.value = False
assert "restore" not in module.parameters()
module.advanced.value = True

# The lists hold the models of this engine, each with its kind and size, and what is selected becomes its name
module.model.value = "Custom"
module.on_setting_changed(module.restore, pipeline)
lines = [line for line in module.custom_model.choices if line.startswith("nuclei - ")]
assert lines == ["nuclei - nuclei; convolutional network (Cellpose 1 to 3), 3.4 MB"], module.custom_model.choices
assert not any("restores" in line for line in module.custom_model.choices)
choices = module.restoring_model.choices
assert set(OFFERED) <= {line.split(" - ")[0] for line in choices}, choices
(here,) = [line for line in choices if line.startswith("denoise_cyto3")]  # sys.argv[2] holds it
assert here.startswith("denoise_cyto3 - images of cells; network that restores images (Cellpose 3), "), here
assert not any(line.startswith("nuclei - ") for line in choices)
module.custom_model.value = lines[0]
module.on_setting_changed(module.custom_model, pipeline)
assert module.custom_model.value == "nuclei"
module.custom_model.value, module.restore.value = "mine", False
module.on_setting_changed(module.custom_model, pipeline)
assert module.custom_model.value == "mine", "a name of one's own stays"
assert "mine" in module.custom_model.choices

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
first = [f"value {k}" for k in range(len(LABELS) - len(SINCE_3) - len(SINCE_4) - len(SINCE_5))]
second = [f"value {k}" for k in range(len(LABELS) - len(SINCE_4) - len(SINCE_5))]
third = [f"value {k}" for k in range(len(LABELS) - len(SINCE_5))]
new = {**{name: DEFAULTS[name] for name in (*SINCE_4, *SINCE_5)}, "advanced": "Yes"}
assert upgraded(first, 2) == ([*first, *(DEFAULTS[name] for name in SINCE_3), *new.values()], REVISION)
assert upgraded(second, 3) == ([*second, *new.values()], REVISION)
assert upgraded(third, 4) == ([*third, *(DEFAULTS[name] for name in SINCE_5)], REVISION)
names = [name for name in LABELS if name not in (*SINCE_4, *SINCE_5)]
plain = {**{name: DEFAULTS[name] for name in names}, "discard_border": "No"}
kept = upgraded(list(plain.values()), 3)[0]
assert kept == list({**DEFAULTS, "discard_border": "No"}.values()), "the new default is not for older pipelines"

# Settings survive being written and read
values = [setting.value_text for setting in module.settings()]
copy = new_module()
copy.set_settings_from_values(values, REVISION, "identifyobjectsbyflow.IdentifyObjectsByFlow")
assert [setting.value_text for setting in copy.settings()] == values
