"""Installs the plugin in CellProfiler's plugins folder with the engine's address, and checks or removes it."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from cellspan.core.errors import CellspanError
from cellspan.core.files.installed import Finding, Installation, check_engine, command_line
from cellspan.cp_module.loading import check_loading
from cellspan.cp_module.places import plugin_folders

PLUGIN = Path(__file__).resolve().parent / "plugin"
# Parts of core that run inside CellProfiler too, as they are, under the same names
FROM_CORE = {
    "client.py": "cellspan.core.service.client",
    "filters.py": "cellspan.core.objects.filters",
    "pairing.py": "cellspan.core.objects.pairing",
    "partners.py": "cellspan.core.models.partners",
    "row_runs.py": "cellspan.core.objects.row_runs",
    "splitting.py": "cellspan.core.objects.splitting",
}
SUBPACKAGE = "cellspan_plugin"
ENGINE = f"{SUBPACKAGE}/engine.json"
RECORD = f"{SUBPACKAGE}/installed.json"


def install(plugin_folder: Path) -> list[Path]:
    """Copy the plugin, its helpers and the parts of core that it needs into `plugin_folder`; returns the files written.

    The folder must exist: it is the one set in CellProfiler's preferences. Obsolete files of an earlier cellspan are
    deleted, other files never. Raises CellspanError.
    """
    return _installation(plugin_folder).write()


def check(plugin_folder: Path, program: Path | None = None) -> Iterator[Finding]:
    """Findings about the plugin in this folder; changes nothing.

    `program` is CellProfiler's Python or its command, which is then asked to load the plugin. Raises CellspanError.
    """
    installation = _installation(plugin_folder)
    yield from installation.check()
    folder = installation.folder
    sources = {name: (folder / name).read_bytes() for name in installation.contents if (folder / name).is_file()}
    if sources:
        yield from check_engine(folder / ENGINE, engine_command(folder), installation.again)
        yield from check_loading(folder, sources, program, installation.contents.keys() - sources.keys())


def remove(plugin_folder: Path) -> list[Path]:
    """Delete only what `install` wrote; returns the files deleted. Raises CellspanError."""
    return _installation(plugin_folder).remove()


def is_installed(plugin_folder: Path) -> bool:
    """Whether the plugin or a part of it is in this folder. Raises CellspanError."""
    return _installation(plugin_folder).is_there


def find() -> list[Path]:
    """CellProfiler's plugins folders on this computer."""
    return plugin_folders()


def plugin_contents() -> dict[str, bytes]:
    """Every file of the installed plugin, by its path below the plugins folder; the module itself comes last.

    Last, because CellProfiler may read the folder in between, and a module without its helpers does not load.
    """
    helpers = sorted((PLUGIN / SUBPACKAGE).glob("*.py"))
    contents = {f"{SUBPACKAGE}/{path.name}": path.read_bytes() for path in helpers}
    contents |= {f"{SUBPACKAGE}/{name}": _source(module).read_bytes() for name, module in FROM_CORE.items()}
    contents[ENGINE] = json.dumps(engine_record(), indent=2).encode() + b"\n"
    contents.update({path.name: path.read_bytes() for path in sorted(PLUGIN.glob("*.py"))})
    return contents


def engine_record() -> dict[str, object]:
    """The content of engine.json: how to start this Python's engine, and its version."""
    command = [sys.executable, "-m", "cellspan.core.cli", "serve"]
    return {"command": command, "version": metadata.version("cellspan")}


def engine_command(folder: Path) -> list[str] | None:
    """The installed engine's `cellspan` command, without its verb; None if engine.json lacks it."""
    try:
        command = json.loads((folder / ENGINE).read_text(encoding="utf-8"))["command"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        return None
    return command[:-1] if command[-1:] == ["serve"] else command


def _installation(plugin_folder: Path) -> Installation:
    folder = Path(plugin_folder).expanduser().resolve()
    if not folder.is_dir():
        raise CellspanError(
            f"{folder}: there is no such folder; make it, or make another one and choose it in CellProfiler under "
            "File > Preferences > CellProfiler plugins directory."
        )
    again = command_line("cellprofiler", folder)
    return Installation(folder, plugin_contents(), RECORD, again, local=frozenset({ENGINE}))


def _source(module: str) -> Path:
    """The source file of a module, found without importing it."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise CellspanError(
            f"This cellspan is incomplete ({module} is missing); run `pip install --force-reinstall cellspan`."
        )
    return Path(spec.origin)
