"""Finds the engine: the installer writes its command to engine.json beside this file.

A plugin that came as a zip has no such file at first; first_use.py then offers to make an engine.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Sequence

from cellspan_plugin.making_engine import is_outdated, wanted_engine

if TYPE_CHECKING:
    from cellspan_plugin.client import Engine

HERE = Path(__file__).resolve().parent


class NotInstalled(Exception):
    """The plugin has no engine, or the engine is missing; the message says what to run."""


def connect(command: list[str], interactive: bool = False) -> Engine:
    """The engine, started on first use; the connection is kept for later images.

    `interactive`: a person is waiting for the result, as in test mode.
    """
    return _connect(tuple(command), interactive)


@lru_cache(maxsize=None)
def _connect(command: tuple[str, ...], interactive: bool) -> Engine:
    from cellspan_plugin.client import Engine  # added by the installer, so a plain copy lacks it

    return Engine(command, interactive)


def model_for_engine(name: str) -> str:
    """The model's name, or its absolute path."""
    from cellspan_plugin.client import model_for_engine as as_found

    return as_found(name)


def engine_command(folder: Path = HERE) -> list[str]:
    """The command that starts the engine; raises NotInstalled. Cheap enough for every click in the editor."""
    record = _record(folder)
    if record is None or not (folder / "client.py").is_file():
        raise NotInstalled(f"The cellspan engine is not connected to CellProfiler: {_remedy(folder)}.")
    command: list[str] = record["command"]
    if shutil.which(command[0]) is None:
        raise NotInstalled(f"The cellspan engine is no longer at {command[0]}: {_remedy(folder)}.")
    wanted = wanted_engine(folder)
    if wanted is not None and is_outdated(command[0], wanted):
        raise NotInstalled(f"The plugin is newer than the cellspan engine at {command[0]}: {_remedy(folder)}.")
    return command


def command_of(path: str) -> list[str]:
    """The command that starts the engine of this `cellspan` program or Python; raises NotInstalled."""
    program = Path(path.strip()).expanduser()
    if not path.strip() or shutil.which(str(program)) is None:
        raise NotInstalled(f"There is no program '{path.strip()}': enter the path to cellspan or to its Python.")
    is_python = program.name.lower().startswith("python")
    return [str(program), "-m", "cellspan.core.cli", "serve"] if is_python else [str(program), "serve"]


def program_of(command: Sequence[str]) -> list[str]:
    """The program whose word `serve` starts the engine; it has other words, too."""
    return [*command[:-1]] if command[-1] == "serve" else [*command]


def unseen() -> dict[str, Any]:
    """How `subprocess` starts a program that shows no window of its own."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW}
    return {}


def _record(folder: Path) -> dict[str, Any] | None:
    """The content of engine.json; None if it is missing or damaged."""
    try:
        record = json.loads((folder / "engine.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    command = record.get("command") if isinstance(record, dict) else None
    valid = isinstance(command, list) and command and all(isinstance(part, str) for part in command)
    return record if valid else None


def _remedy(folder: Path) -> str:
    wanted = wanted_engine(folder)
    package = "cellspan" if wanted is None else _quoted(str(folder / wanted["wheel"]))
    commands = f"`pip install {package}` in a terminal and then `cellspan install cellprofiler --to"
    first = "" if wanted is None else "use the module on CellProfiler's desktop once, or "
    return f"{first}run {commands} {_quoted(str(folder.parent))}`"


def _quoted(path: str) -> str:
    return f'"{path}"' if " " in path else path
