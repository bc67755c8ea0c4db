"""The installed commands are in Fiji's menu, their parameters are read, they are recorded, and a macro runs them."""

from __future__ import annotations

import sys
from pathlib import Path

import scyjava

from cellspan.core.training.simulate import simulate_nuclei
from cellspan.fiji_bridge import connect, image_to_imagej
from cellspan.fiji_bridge.gateway import on_event_thread
from cellspan.fiji_bridge.install import SCRIPTS
from cellspan.fiji_bridge.migrate import our_settings

fiji, home = sys.argv[1:]
scyjava.config.add_option(f"-Duser.home={home}")  # where Fiji keeps its settings
imagej = connect(fiji, headless=False)
folder = Path(fiji).resolve() / "scripts" / "Plugins" / "cellspan"
file, scripts = imagej.java_class("java.io.File"), imagej.java_class("org.scijava.script.ScriptService")
service = imagej.pyimagej.context().service(scripts)

# Every command is in the menu Plugins > cellspan, and Fiji understands its parameters.
commands = imagej.java_class("ij.Menus").getCommands()
for script in SCRIPTS:
    name = Path(script).stem.replace("_", " ")
    assert commands.containsKey(name), f"{name} is not in {sorted(map(str, commands.keySet()))}"
    info = service.getScript(file(str(folder / script)))
    assert "cellspan" in [str(entry.getName()) for entry in info.getMenuPath()], script
    inputs = [str(item.getName()) for item in info.inputs()]
    assert {"model", "diameter"} <= set(inputs) or script != "Segment_Cells.groovy", inputs

# A macro runs the command, with all its settings: Fiji asks for those that are not given.
settings = our_settings() | {"model": "nuclei", "diameter": "26"}
image_to_imagej(simulate_nuclei((160, 160), diameter=26, seed=4).image, "nuclei").show()
manager = imagej.java_class("ij.plugin.frame.RoiManager").getRoiManager()
options = " ".join(f"{key}=[{value}]" for key, value in settings.items())
imagej.run_macro(f'run("Segment Cells", "{options}");')
found = manager.getCount()
assert found > 3

# What a person does is recorded, in a form that runs again.
recorder = imagej.java_class("ij.plugin.frame.Recorder")
recorder(False)
inputs = imagej.java_class("java.util.HashMap")()
for key, value in settings.items():
    inputs.put(key, value)
on_event_thread(manager.reset)
service.run(file(str(folder / "Segment_Cells.groovy")), True, inputs).get()
assert manager.getCount() == found
recorded = [line for line in str(recorder.getInstance().getText()).splitlines() if 'run("Segment Cells"' in line]
assert recorded, str(recorder.getInstance().getText())
recorder.record = False
on_event_thread(manager.reset)
imagej.run_macro(recorded[-1])
assert manager.getCount() == found
