"""`cellspan doctor`: what is installed, found and running, and what to do about what is not."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import click

from cellspan.core.models.registry import known_models
from cellspan.core.service.client import EngineError, find_engine, log_file, private_folder, runtime_folder

REQUIRED = ("numpy", "openvino", "numba", "scipy", "tifffile", "roifile")
OPTIONAL = {
    "opencv-python-headless": 'training; pip install "cellspan[train]"',
    "torch": 'training and graphics cards; pip install "cellspan[train]"',
    "pyimagej": 'Fiji from Python; pip install "cellspan[fiji]"',
    "scyjava": 'ImageJ from Python; pip install "cellspan[fiji]"',
}


@click.command()
def doctor() -> None:
    """Say what is installed, found and running, and what to do about what is not.

    Exit code 0 if segmentation can work, 1 if not.
    """
    healthy = True
    for good, needed, line in _findings():
        mark = "ok  " if good else ("FAIL" if needed else "-   ")
        click.echo(f"{mark} {line}")
        healthy = healthy and (good or not needed)
    sys.exit(0 if healthy else 1)


def _findings() -> Iterator[tuple[bool, bool, str]]:
    """(found, needed, line) for everything that matters."""
    yield True, True, f"cellspan {version('cellspan')}, Python {platform.python_version()}, {platform.platform()}"
    for name in REQUIRED:
        yield _package(name, "it is needed; pip install --upgrade cellspan", True)
    for name, purpose in OPTIONAL.items():
        yield _package(name, f"optional, for {purpose}", False)
    listed = known_models()
    names = [model.name for model in listed if not model.problem]
    yield bool(names), True, f"models: {', '.join(names) or 'none; reinstall cellspan'}"
    for model in listed:
        if model.problem and model.origin != "Cellpose":  # whose folder may hold models of other methods
            yield False, model.origin == "bundled", f"the model {model.name} cannot be used: {model.problem}"
    yield _compiled_code()
    yield _graphics_card()
    java = shutil.which("java")
    yield bool(java), False, f"Java {java}" if java else "no Java; optional, for ImageJ from Python (install a JDK)"
    yield from _engine()


def _engine() -> Iterator[tuple[bool, bool, str]]:
    """Whether the shared engine runs, or could."""
    try:
        standing = find_engine()
        folder = runtime_folder()
        private_folder(folder)
    except EngineError as error:
        yield False, True, f"engine: {error}"
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield (
            False,
            True,
            f"engine: it cannot start, because {folder} cannot be written; set CELLSPAN_RUNTIME_DIR to another folder",
        )
        return
    if standing.state == "absent":
        yield False, False, "engine not running; it starts when needed"
    elif standing.state == "silent":
        yield False, True, f"engine does not answer ({standing.about}); run: cellspan service stop --force"
    else:
        running = standing.service is not None
        yield running, False, f"engine {'running' if running else standing.state} ({standing.about})"
    yield True, False, f"engine log: {log_file()}"


def _package(name: str, otherwise: str, needed: bool) -> tuple[bool, bool, str]:
    try:
        return True, needed, f"{name} {version(name)}"
    except PackageNotFoundError:
        return False, needed, f"no {name}: {otherwise}"


def _compiled_code() -> tuple[bool, bool, str]:
    """Whether the loops are compiled for this computer, and if not, whether they will be kept."""
    from cellspan.core.dynamics.labelling import warm_up
    from cellspan.core.machine.kept_code import FOLDER_VARIABLE, look_for_code

    kept = look_for_code(warm_up)
    if kept.complete:
        return True, False, "compiled code: it is there for this computer"
    if kept.place.lasting:
        return False, False, "compiled code: not there yet; the first run makes it, which takes about 20 seconds"
    return (
        False,
        False,
        "compiled code: it is not there and cannot be kept, because neither the installation nor a folder of yours can "
        f"be written, so that every start takes about 20 seconds longer; set {FOLDER_VARIABLE} to a folder that can",
    )


def _graphics_card() -> tuple[bool, bool, str]:
    from cellspan.core.inference.predictor import resolve_device

    device = resolve_device("auto")
    if device != "cpu":
        return True, False, f"graphics card: {device}"
    hint = "" if importlib.util.find_spec("torch") else ' (with one: pip install "cellspan[gpu]")'
    return False, False, f"no graphics card in use; the CPU does the work{hint}"
