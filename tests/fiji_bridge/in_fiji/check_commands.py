"""The installed commands are in Fiji's menu, their parameters are read, they are recorded, and a macro runs them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import scyjava

from cellspan.core.errors import CellspanError
from cellspan.core.training.simulate import simulate_nuclei
from cellspan.fiji_bridge import connect, image_to_imagej
from cellspan.fiji_bridge.gateway import on_event_thread
from cellspan.fiji_bridge.install import SCRIPTS
from cellspan.fiji_bridge.migrate import our_settings


def wait_for(look: Callable[[], Any]) -> Any:
    """What it sees at last; the machine may be busy."""
    for _ in range(600):
        if seen := look():
            return seen
        time.sleep(0.1)
    raise AssertionError(f"{look} saw nothing in a minute")


def dialog_of_the_command() -> Any:
    windows = imagej.java_class("java.awt.Window").getWindows()
    kind = imagej.java_class("javax.swing.JDialog")
    return next((one for one in windows if isinstance(one, kind) and "Segment Cells" in str(one.getTitle())), None)


def parts(container: Any, kind: str) -> list[Any]:
    """All components of this kind, in the order in which they are seen."""
    own = [container] if isinstance(container, imagej.java_class(kind)) else []
    inner = container.getComponents() if hasattr(container, "getComponents") else []
    return own + [part for component in inner for part in parts(component, kind)]


def recorded_lines(recorder: Any) -> list[str]:
    return [line for line in str(recorder.getInstance().getText()).splitlines() if 'run("Segment Cells"' in line]


fiji, home = sys.argv[1:]
scyjava.config.add_option(f"-Duser.home={home}")  # where Fiji keeps its settings
imagej = connect(fiji, headless=False)
service = imagej.pyimagej.context().service(imagej.java_class("org.scijava.script.ScriptService"))
known = {Path(str(info.getPath())).name: info for info in service.getScripts()}

# Every command is in the menu Plugins > cellspan, and Fiji understands its parameters.
commands = imagej.java_class("ij.Menus").getCommands()
for script in SCRIPTS:
    name = Path(script).stem.replace("_", " ")
    assert commands.containsKey(name), f"{name} is not in {sorted(map(str, commands.keySet()))}"
    info = known[script]
    assert "cellspan" in [str(entry.getName()) for entry in info.getMenuPath()], script
    inputs = [str(item.getName()) for item in info.inputs()]
    assert {"model", "diameter"} <= set(inputs) or script != "Segment_Cells.groovy", inputs

# A macro runs the command.
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
on_event_thread(manager.reset)
imagej.java_class("ij.IJ").doCommand("Segment Cells")
dialog = wait_for(dialog_of_the_command)
on_event_thread(lambda: parts(dialog, "javax.swing.JComboBox")[0].setSelectedIndex(1))  # nuclei
on_event_thread(lambda: parts(dialog, "javax.swing.JTextField")[0].setText("26"))
on_event_thread(dialog.getRootPane().getDefaultButton().doClick)
wait_for(lambda: manager.getCount() == found)
# The count stays in the status bar, over which Fiji writes that the command has finished.
status = imagej.java_class("ij.ImageJ")
wait_for(lambda: str(status.getStatusBarText()) == f"cellspan: {found} objects")
recorded = wait_for(lambda: recorded_lines(recorder))[-1]
assert "model=nuclei diameter=26" in recorded
recorder.suspendRecording()
on_event_thread(manager.reset)
imagej.run_macro(recorded)
assert manager.getCount() == found

# A mistake ends the macro.
for mistake in ("diamter=30", "channel=7"):
    with pytest.raises(CellspanError, match="aborted"):
        imagej.run_macro(f'setBatchMode(true); run("Segment Cells", "{mistake}"); print("went on");')
assert "went on" not in str(imagej.java_class("ij.IJ").getLog())
