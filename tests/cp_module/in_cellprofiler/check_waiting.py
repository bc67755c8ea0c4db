"""Who waits for the engine is told so: in the log, and in a window with a Cancel button in test mode on the desktop."""

from __future__ import annotations

import logging
import sys
import textwrap
import threading
import time
from importlib.util import find_spec
from inspect import getsource
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import zmq
from _workspace import disks, new_module, prepare
from cellprofiler_core.constants.worker import NOTIFY_STOP
from cellprofiler_core.pipeline import CancelledException
from cellprofiler_core.worker._worker import Worker
from cellspan_plugin import engine, waiting

waiting.QUIET_SECONDS, waiting.AGAIN_SECONDS = 0.2, 1.0
real = engine.connect(engine.engine_command())


class Busy:
    """An engine that other clients keep busy: for every image, this client waits behind three jobs at first."""

    def __init__(self) -> None:
        self.ended, self.command = [], real.command

    def segment(self, pixels: Any, parameters: Any, tell: Any, also: Any, keep: bool = False, mask: Any = None) -> Any:
        try:
            for _ in range(10):
                tell(0.0, "waiting for the engine: 3 jobs before yours")
                time.sleep(0.1)
            return real.segment(pixels, parameters, tell, also, keep)
        except BaseException as error:
            self.ended.append(error)
            raise


class Window:
    """Takes the place of wx.ProgressDialog."""

    def __init__(self, title: str, message: str, **more: Any) -> None:
        windows.append(self)
        self.title, self.told, self.open = title, [message], True
        assert threading.current_thread() is threading.main_thread()

    def Pulse(self, message: str) -> tuple:
        self.told.append(message)
        return len(self.told) < cancel_after, False

    def Destroy(self) -> None:
        self.open = False


windows, cancel_after, busy = [], 10**9, Busy()
engine.connect = lambda command, interactive: busy
logged = []
handler = logging.Handler()
handler.emit = lambda record: logged.append(record.getMessage())
logging.getLogger("identifyobjectsbyflow").addHandler(handler)
logging.getLogger("identifyobjectsbyflow").setLevel(logging.INFO)


def tried() -> tuple:
    """A run in test mode, and whether CellProfiler was asked to end the step."""
    prepared = prepare(disks(), new_module())
    prepared.workspace.pipeline.test_mode = True
    cancelled = []
    prepared.workspace.cancel_handler = lambda: cancelled.append(True)
    prepared.module.run(prepared.workspace)
    return prepared, cancelled


# Without a desktop, the log tells
sentence = "Waiting for the engine: 3 jobs before yours ("
tried()
assert logged[0].startswith(sentence), logged
assert 1 <= len([text for text in logged if text.startswith(sentence)]) <= 2, logged


class Measured(dict):
    """Of no analysis; closed by CellProfiler 5."""

    close = dict.clear


# The worker of an analysis that is stopped ends its image at the next word, and gives it back to the engine
context = zmq.Context.instance()
stop, answers = context.socket(zmq.PUB), context.socket(zmq.REP)
stop.bind("inproc://stop")
answers.bind("inproc://answers")
worker = Worker.__new__(Worker)  # the real one, without the Java that its start needs
messages, worker.work_socket = context.socket(zmq.SUB), context.socket(zmq.REQ)
messages.setsockopt(zmq.SUBSCRIBE, b"")
messages.connect("inproc://stop")
setattr(worker, "keepalive_socket" if "keepalive_socket" in getsource(Worker) else "notify_socket", messages)
worker.work_socket.connect("inproc://answers")
worker.cancelled, worker.current_analysis_id = False, "analysis"
worker.initial_measurements = worker.pipelines_and_preferences = Measured()
prepared = prepare(disks(), new_module())
prepared.workspace.cancel_handler = worker.cancel_handler
prepared.module.run(prepared.workspace)
assert prepared.labels.max() > 5
assert not busy.ended
prepared = prepare(disks(), new_module())
prepared.workspace.cancel_handler = worker.cancel_handler
threading.Timer(0.3, stop.send, [NOTIFY_STOP]).start()
started = time.monotonic()
try:
    prepared.module.run(prepared.workspace)
except CancelledException:
    assert worker.cancelled
else:
    raise AssertionError("the worker has not heard of the stop")
assert time.monotonic() - started < 1
assert [type(error) for error in busy.ended] == [waiting.Stopped]
busy.ended.clear()

# On the desktop, a window tells and goes on living
app = SimpleNamespace(GetApp=lambda: True, IsMainThread=lambda: True, ProgressDialog=Window)
sys.modules["wx"] = SimpleNamespace(PD_APP_MODAL=1, PD_CAN_ABORT=2, **vars(app))
from identifyobjectsbyflow import RECENT  # noqa: E402

RECENT._images.clear()
done, cancelled = tried()
(window,) = windows
assert window.title == "IdentifyObjectsByFlow #1"
assert len([text for text in window.told if text.startswith(sentence)]) > 3, window.told
assert not window.open
assert not cancelled
assert done.labels.max() > 5

# Its Cancel button ends the step at once, without an error; the image is taken back from the engine
RECENT._images.clear()
cancel_after = 3
started = time.monotonic()
stopped, cancelled = tried()
assert time.monotonic() - started < 1
assert cancelled == [True]
assert "Nuclei" not in stopped.workspace.object_set.get_object_names()
assert not windows[-1].open

# The handler of CellProfiler 4.2's test mode fails; the step ends all the same. The lines that make it and ask it are
# taken out of CellProfiler, because the whole needs wxPython.
controller = Path(find_spec("cellprofiler").origin).with_name("gui") / "pipelinecontroller.py"
_, found, lines = controller.read_text(encoding="utf-8").partition("    def do_step(")
_, found, lines = lines.partition("            cancelled = [False]\n")
lines, _, _ = (found + lines).partition("                self.__frame.SetCursor(old_cursor)\n")
assert lines.count("self.__pipeline.run_module") == 1, "CellProfiler has another test mode; how does it end a step?"
lines = textwrap.dedent(lines.replace("self.__pipeline.run_module", "run_module"))
step = "def do_step():\n" + textwrap.indent(lines + "    return False\nreturn True\n", "    ")


def do_step(module: Any, workspace: Any) -> bool:
    """Whether the step of test mode has come to its end."""
    known = {
        "module": module,
        "workspace_model": workspace,
        "run_module": lambda module, workspace: module.run(workspace),
    }
    exec(step, known)
    return known["do_step"]()


faulty = prepare(disks(), new_module())
faulty.workspace.pipeline.test_mode = True
assert do_step(faulty.module, faulty.workspace) is False
assert "Nuclei" not in faulty.workspace.object_set.get_object_names()

# Where nothing is known of the step, the user gets a sentence
faulty.workspace.cancel_handler = lambda: [].pop()
sentence = ""
try:
    faulty.module.run(faulty.workspace)
except waiting.Stopped as stopped:
    sentence = str(stopped)
assert sentence == "You stopped this image."
time.sleep(1)
assert [type(error) for error in busy.ended] == [waiting.Stopped] * 3
