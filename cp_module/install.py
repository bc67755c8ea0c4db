"""Puts the plugin into CellProfiler's plugin folder and tells it where the engine is."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from cellspan.core.errors import CellspanError

PLUGIN = Path(__file__).resolve().parent / "plugin"
CLIENT = "cellspan.core.service.client"
SUBPACKAGE = "cellspan_plugin"


def install(plugin_folder: Path) -> list[Path]:
    """Copy the plugin, its helpers and the engine's client into `plugin_folder`; the files that were written.

    The folder must exist: it is the one that CellProfiler's preferences name. Raises CellspanError.
    """
    folder = Path(plugin_folder).expanduser().resolve()
    if not folder.is_dir():
        raise CellspanError(
            f"{folder}: there is no such folder; give the plugins folder that CellProfiler shows under "
            "File > Preferences > Plugins directory."
        )
    contents = plugin_contents()
    try:
        (folder / SUBPACKAGE).mkdir(exist_ok=True)
        for name, content in contents.items():
            _write_atomically(folder / name, content)
    except OSError as error:
        raise CellspanError(
            f"{folder}: the plugin cannot be written there ({error.strerror}); check the folder's permissions."
        ) from None
    return [folder / name for name in contents]


def plugin_contents() -> dict[str, bytes]:
    """Every file of the installed plugin, by its path below the plugins folder; the module itself comes last.

    Last, because CellProfiler may look at the folder in between: a module without its helpers does not load.
    """
    helpers = sorted((PLUGIN / SUBPACKAGE).glob("*.py"))
    contents = {f"{SUBPACKAGE}/{path.name}": path.read_bytes() for path in helpers}
    contents[f"{SUBPACKAGE}/client.py"] = _client_file().read_bytes()
    contents[f"{SUBPACKAGE}/engine.json"] = json.dumps(engine_record(), indent=2).encode() + b"\n"
    contents.update({path.name: path.read_bytes() for path in sorted(PLUGIN.glob("*.py"))})
    return contents


def engine_record() -> dict[str, object]:
    """What engine.json says: how to start the engine that belongs to this Python, and its version."""
    command = [sys.executable, "-m", "cellspan.core.cli", "serve"]
    return {"command": command, "version": metadata.version("cellspan")}


def _client_file() -> Path:
    """The client's source, found without running it or its package's heavier neighbours."""
    spec = importlib.util.find_spec(CLIENT)
    if spec is None or spec.origin is None:
        raise CellspanError(
            f"This cellspan is incomplete ({CLIENT} is missing); run `pip install --force-reinstall cellspan`."
        )
    return Path(spec.origin)


def _write_atomically(path: Path, content: bytes) -> None:
    """Write to a temporary name and rename, so that a running CellProfiler never reads half a file."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix="_cellspan_", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
