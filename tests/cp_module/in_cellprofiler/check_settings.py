"""Settings: what is shown when, help for each, and what the pipeline editor says about a bad one."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from _workspace import new_module
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.setting import ValidationError
from cellspan_plugin import engine

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
assert not module.volumetric()
assert "Custom" not in "".join(shown(module))
assert not any(text.startswith("Typical diameter") for text in shown(module))
module.model.value = "Custom"
module.automatic_diameter.value = False
assert len(shown(module)) == len(module.settings()) == 10

for setting in module.settings():
    assert len(setting.doc) > 40, setting.text
assert "<h1" in module.get_help()
assert "cellspan engine" in module.get_help()
assert "system-message" not in module.get_help(), "the help is faulty reStructuredText"

# A custom model needs a name
assert complaint(module) == "Enter the name or the path of the model."
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

# Settings survive being written and read
values = [setting.value_text for setting in module.settings()]
copy = new_module()
copy.set_settings_from_values(values, 1, "identifyobjectsbyflow.IdentifyObjectsByFlow")
assert [setting.value_text for setting in copy.settings()] == values
