"""What `cellspan doctor` looks at: packages, models, this computer, the engine, and the programs that we are in."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cellspan.core.cli.install import Bridge, bridges
from cellspan.core.errors import CellspanError
from cellspan.core.machine.memory import available_memory, in_words
from cellspan.core.machine.processors import usable_processors
from cellspan.core.models.official import WHICH_MODEL
from cellspan.core.models.registry import known_models, user_models
from cellspan.core.service.client import EngineError, find_engine, log_file, private_folder, runtime_folder

REQUIRED = ("numpy", "openvino", "numba", "scipy", "tifffile", "roifile")
OPTIONAL = {
    "opencv-python-headless": 'training; pip install "cellspan[train]"',
    "torch": 'training and graphics cards; pip install "cellspan[train]"',
    "pyimagej": 'Fiji from Python; pip install "cellspan[fiji]"',
    "scyjava": 'ImageJ from Python; pip install "cellspan[fiji]"',
}
LITTLE_MEMORY, LITTLE_DISK = 2 << 30, 2 << 30  # bytes; a large image and its results need more


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    good: bool
    needed: bool  # without it, segmentation cannot work
    line: str  # one sentence; of a fault, with what to do
    mend: Callable[[], str] | None = None  # does it, and says what was done


def checks() -> Iterator[Check]:
    """Everything that matters, in the order in which people read it."""
    yield Check(
        True, True, f"cellspan {version('cellspan')}, Python {platform.python_version()}, {platform.platform()}"
    )
    for name in REQUIRED:
        yield _package(name, "it is needed; pip install --upgrade cellspan", True)
    for name, purpose in OPTIONAL.items():
        yield _package(name, f"optional, for {purpose}", False)
    yield from _models()
    yield _compiled_code()
    yield from _computer()
    yield _graphics_card()
    java = shutil.which("java")
    line = f"Java {java}" if java else "no Java; optional, for ImageJ from Python (install a JDK)"
    yield Check(bool(java), False, line)
    yield from _engine()
    for name, bridge in bridges():
        yield from _program(name, bridge)


def _package(name: str, otherwise: str, needed: bool) -> Check:
    try:
        return Check(True, needed, f"{name} {version(name)}")
    except PackageNotFoundError:
        return Check(False, needed, f"no {name}: {otherwise}")


def _models() -> Iterator[Check]:
    listed = known_models()
    names = [model.name for model in listed if not model.problem]
    yield Check(bool(names), True, f"models: {', '.join(names) or 'none; reinstall cellspan'}")
    yield Check(True, False, f"which model: {WHICH_MODEL}")
    for model in listed:
        if model.problem and model.origin != "Cellpose":  # whose folder may hold models of other methods
            line = f"the model {model.name} cannot be used: {model.problem}"
            yield Check(False, model.origin == "bundled", line)


def _compiled_code() -> Check:
    """Whether the loops are compiled for this computer, and if not, whether they will be kept."""
    from cellspan.core.dynamics.labelling import warm_up
    from cellspan.core.machine.kept_code import FOLDER_VARIABLE, look_for_code

    def compile_now() -> str:
        warm_up()
        return "compiled code: made for this computer"

    kept = look_for_code(warm_up)
    if kept.complete:
        return Check(True, False, "compiled code: it is there for this computer")
    if kept.place.lasting:
        line = "compiled code: not there yet; the first run makes it, which takes about 20 seconds"
        return Check(False, False, line, compile_now)
    return Check(
        False,
        False,
        "compiled code: it is not there and cannot be kept, because neither the installation nor a folder of yours can "
        f"be written, so that every start takes about 20 seconds longer; set {FOLDER_VARIABLE} to a folder that can",
    )


def _computer() -> Iterator[Check]:
    """Processors, memory, and the disk that holds models and results of the engine."""
    memory = available_memory()
    advice = "; close other programs, or segment with --tile 256" if memory < LITTLE_MEMORY else ""
    line = f"{usable_processors()} processors, {in_words(memory)} of memory free{advice}"
    yield Check(not advice, False, line)
    folder = next(place for place in (user_models(), *user_models().parents) if place.is_dir())
    free = shutil.disk_usage(folder).free
    advice = "; models and kept results need some" if free < LITTLE_DISK else ""
    yield Check(not advice, False, f"{in_words(free)} of disk free at {folder}{advice}")


def _graphics_card() -> Check:
    from cellspan.core.inference.predictor import resolve_device

    device = resolve_device("auto")
    if device != "cpu":
        return Check(True, False, f"graphics card: {device}")
    hint = "" if importlib.util.find_spec("torch") else ' (with one: pip install "cellspan[gpu]")'
    return Check(False, False, f"no graphics card in use; the CPU does the work{hint}")


def _engine() -> Iterator[Check]:
    """Whether the shared engine runs, or could."""
    from cellspan.core.cli.service import end_engine

    try:
        standing = find_engine()
        folder = runtime_folder()
        private_folder(folder)
    except EngineError as error:
        yield Check(False, True, f"engine: {error}")
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        line = f"it cannot start, because {folder} cannot be written; set CELLSPAN_RUNTIME_DIR to another folder"
        yield Check(False, True, f"engine: {line}")
        return
    if standing.state == "absent":
        yield Check(False, False, "engine not running; it starts when needed")
    elif standing.state == "silent":
        line = f"engine does not answer ({standing.about}); run: cellspan service stop --force"
        yield Check(False, True, line, lambda: end_engine(standing, force=True))
    else:
        running = standing.service is not None
        yield Check(running, False, f"engine {'running' if running else standing.state} ({standing.about})")
    yield Check(True, False, f"engine log: {log_file()}")


def _program(name: str, bridge: Bridge) -> Iterator[Check]:
    """The installations of a program that were found, and whether our files in them are current."""
    folders = bridge.find()
    if not folders:
        line = f"no {name} in the usual places; if it is elsewhere: cellspan install {name} --to FOLDER"
        yield Check(False, False, line)
    for folder in folders:
        yield from _installation(name, bridge, folder)


def _installation(name: str, bridge: Bridge, folder: Path) -> Iterator[Check]:
    def mend() -> str:
        bridge.install(folder)
        return f"{name}: cellspan's files in {folder} were written anew"

    try:
        findings = [*bridge.check(folder, None)]
    except CellspanError as error:
        yield Check(False, False, f"{name}: {error}")
        return
    ours = bridge.is_installed(folder)  # else nobody asked for it there, so nothing is written
    for finding in findings:
        if finding.good is not None:
            yield Check(finding.good, False, f"{name}: {finding.text}", mend if ours and not finding.good else None)
