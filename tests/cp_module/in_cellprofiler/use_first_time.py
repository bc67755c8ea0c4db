"""The first use of a plugin that came as a zip: the module offers to make its engine, makes it, and does its work.

Arguments: the plugins folder, then where the engines go. wx is played here, because CellProfiler has none on Linux.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from _workspace import disks, new_module, prepare
from cellprofiler_core.setting import ValidationError
from cellspan_plugin import engine

plugins, engines = Path(sys.argv[1]), Path(sys.argv[2])
GO_ON, NOT_NOW = 5100, 5101
answers, asked, told, windows = [], [], [], []


class Question:
    """Takes the place of wx.MessageDialog; the next answer was given in advance."""

    def __init__(self, parent: Any, text: str, title: str, style: int) -> None:
        asked.append(text)

    def SetOKCancelLabels(self, go_on: str, not_now: str) -> None:
        assert (go_on, not_now) == ("Install", "Not now")

    def ShowModal(self) -> int:
        return answers.pop(0)

    def Destroy(self) -> None:
        pass


class Window:
    """Takes the place of wx.ProgressDialog."""

    def __init__(self, title: str, message: str, **more: Any) -> None:
        windows.append(self)
        self.told = [message]

    def Pulse(self, message: str) -> tuple:
        self.told.append(message)
        return True, False

    def Destroy(self) -> None:
        pass


def invalid(module: Any, pipeline: Any) -> str:
    try:
        module.validate_module(pipeline)
    except ValidationError as error:
        return str(error)
    return ""


# Without a desktop, nobody can be asked: a sentence with the commands, in the editor and when it runs
first = prepare(disks(), new_module())
sentence = invalid(first.module, first.workspace.pipeline)
[wheel] = (plugins / "cellspan_plugin").glob("*.whl")
assert sentence.startswith("The cellspan engine is not connected to CellProfiler: use the module on"), sentence
assert f'`pip install "{wheel}"`' in sentence, sentence
assert first.module.prepare_run(first.workspace)

sys.modules["wx"] = SimpleNamespace(
    GetApp=lambda: True,
    IsMainThread=lambda: threading.current_thread() is threading.main_thread(),
    MessageDialog=Question,
    ProgressDialog=Window,
    MessageBox=lambda text, *more: told.append(text),
    **dict.fromkeys(("OK", "CANCEL", "ICON_QUESTION", "ICON_ERROR", "PD_APP_MODAL", "PD_CAN_ABORT"), 0),
    ID_OK=GO_ON,
)

# On the desktop it is asked when the pipeline runs, and nothing happens without a click
assert invalid(first.module, first.workspace.pipeline) == ""
answers[:] = [NOT_NOW, NOT_NOW]
assert not first.module.prepare_run(first.workspace)
first.workspace.pipeline.test_mode, stopped = True, []
first.workspace.cancel_handler = lambda: stopped.append(True)
first.module.run(first.workspace)
assert stopped
assert len(asked) == 2
assert str(engines) in asked[0], asked[0]
assert "To download: nothing; it is made of the files in\n" in asked[0], asked[0]
assert not engines.exists()

# What goes wrong is one sentence, and nothing stays
[uv] = (plugins / "cellspan_plugin" / "wheelhouse").glob("uv-*.whl")
content = uv.read_bytes()
uv.write_bytes(content[:-1])
answers[:] = [GO_ON]
assert not first.module.prepare_run(first.workspace)
assert told == [f"{uv.name} is not the file that was expected (its checksum differs), so it was not used."]
uv.write_bytes(content)

# It is made from the files of a folder, connected, and used at once
answers[:] = [GO_ON]
assert first.module.prepare_run(first.workspace), told
assert windows[0].told[-1].endswith(" s)"), windows[0].told
assert Path(engine.engine_command()[0]).parts[: len(engines.parts)] == engines.parts
first.module.run(first.workspace)
assert first.labels.max() > 5

# A second program finds the engine, and asks nothing
(plugins / "cellspan_plugin" / "engine.json").unlink()
assert first.module.prepare_run(first.workspace)
assert len(asked) == 4
engine.engine_command()
print("done")
