"""Puts the commands into Fiji or plain ImageJ and tells them where the engine is."""

from __future__ import annotations

import string
import sys
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from cellspan.core.errors import CellspanError
from cellspan.core.files import make_folder, write_atomically

MACRO = "cellspan_Segment.ijm"  # for every ImageJ: Plugins > cellspan Segment
SCRIPT = "Segment_Cells.groovy"  # for Fiji only: Plugins > cellspan > Segment Cells
ENGINE = "cellspan/engine.txt"  # below the plugins folder; without an underscore, so that it becomes no menu entry


def install(fiji_folder: Path) -> list[Path]:
    """Copy the commands into a folder of Fiji or ImageJ (or into its plugins folder); the files that were written.

    Raises CellspanError.
    """
    plugins, scripts = _homes(Path(fiji_folder).expanduser().resolve())
    contents = {plugins / ENGINE: engine_text(), plugins / MACRO: _source(MACRO)}
    if scripts is not None:
        contents[scripts / "Plugins" / "cellspan" / SCRIPT] = _source(SCRIPT)
    return [_write(path, content) for path, content in contents.items()]


def engine_text(command: list[str] | None = None) -> str:
    """What engine.txt holds: the command that starts this Python's engine, one word a line.

    ImageJ reads files in the encoding of the machine; with all but ASCII as %XX, a path is read right everywhere.
    """
    words = command or [sys.executable, "-m", "cellspan.core.cli"]
    as_they_are = "".join(sign for sign in string.punctuation + " " if sign not in "%+")
    return "".join(quote(word, safe=as_they_are) + "\n" for word in words)


def _homes(folder: Path) -> tuple[Path, Path | None]:
    """The plugins folder and, in a Fiji, the scripts folder."""
    home = folder.parent if folder.name.lower() == "plugins" else folder
    plugins = folder if home != folder else folder / "plugins"
    if not plugins.is_dir():
        raise CellspanError(
            f"{folder}: this is not the folder of a Fiji or ImageJ, because it has no folder 'plugins'; "
            "give the folder that holds it, such as Fiji.app."
        )
    is_fiji = (home / "scripts").is_dir() or (home / "jars").is_dir()
    return plugins, home / "scripts" if is_fiji else None


def _source(name: str) -> str:
    return files("cellspan.macros").joinpath(name).read_text(encoding="utf-8")


def _write(path: Path, content: str) -> Path:
    make_folder(path.parent)
    return write_atomically(path, lambda part: part.write_bytes(content.encode()))
