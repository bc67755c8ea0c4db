"""Installs the commands in Fiji or plain ImageJ and tells them where the engine is; checks and removes them."""

from __future__ import annotations

import string
import sys
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote, unquote

from cellspan.core.errors import CellspanError
from cellspan.core.files.installed import Finding, Installation, check_engine, command_line
from cellspan.core.models.registry import known_models
from cellspan.fiji_bridge.places import imagej_folders

MACRO = "cellspan_Segment.ijm"  # for plain ImageJ only: Plugins > cellspan Segment
# For Fiji only: Plugins > cellspan > Segment Cells and so on
SCRIPTS = (
    "Segment_Cells.groovy",
    "Segment_Cells_with_Nuclei.groovy",
    "Show_Measurements.groovy",
    "Track_Objects.groovy",
    "Track_with_TrackMate.groovy",
    "Segment_Folder.groovy",
    "Train_from_ROIs.groovy",
    "Use_Cellpose_Model.groovy",
    "Segment_Help.groovy",
    "Show_Engine_Status.groovy",
    "Stop_Engine.groovy",
)
# What the scripts have in common; they evaluate it as text. Fiji takes every .groovy in its plugins for a command.
SHARED = (
    "engine.groovy",
    "making_engine.groovy",
    "uv_words.groovy",
    "first_use.groovy",
    "settings.groovy",
    "form.groovy",
    "preview.groovy",
    "segmenting.groovy",
    "results.groovy",
    "measuring.groovy",
    "outlines.groovy",
    "tracks.groovy",
    "trackmate.groovy",
    "places.groovy",
    "colours.groovy",
    "help.groovy",
)
SHARED_ENDING = ".txt"
# Below the plugins folder; without an underscore, so that they become no menu entries.
HELPERS = "cellspan"
ENGINE = "cellspan/engine.txt"
MODELS = "cellspan/models.txt"  # that the dialogs of Fiji offer
RECORD = "cellspan/installed.json"


def install(fiji_folder: Path) -> list[Path]:
    """Copy the commands into a folder of Fiji or ImageJ (or into its plugins folder); the files that were written.

    Files of an earlier cellspan that no longer belong to it are deleted, foreign files never. Raises CellspanError.
    """
    return _installation(fiji_folder).write()


def check(fiji_folder: Path, program: Path | None = None) -> Iterator[Finding]:
    """Whether the commands in this folder are complete and find the engine; changes nothing.

    ImageJ compiles a macro or script when it is called, so there is nothing to load with `program`. Raises
    CellspanError.
    """
    installation = _installation(fiji_folder)
    yield from installation.check()
    if any((installation.folder / name).is_file() for name in installation.contents):
        file = installation.folder / next(name for name in installation.local if name.endswith(ENGINE))
        yield from check_engine(file, engine_command(file), installation.again)
        yield Finding(None, "not tested inside ImageJ: restart it and look for the commands in the menu Plugins")


def remove(fiji_folder: Path) -> list[Path]:
    """Delete what `install` wrote and nothing else; the files that were deleted. Raises CellspanError."""
    return _installation(fiji_folder).remove()


def is_installed(fiji_folder: Path) -> bool:
    """Whether any of the commands is in this folder. Raises CellspanError."""
    return _installation(fiji_folder).is_there


def find() -> list[Path]:
    """Folders of Fiji and ImageJ on this computer."""
    return imagej_folders()


def command_files(plugins: str = "plugins") -> dict[str, bytes]:
    """Fiji's commands and what they share, by their paths in a Fiji; the same on every computer."""
    commands = {f"scripts/Plugins/cellspan/{name}": _source(name) for name in SCRIPTS}
    return commands | {f"{plugins}/{HELPERS}/{name}{SHARED_ENDING}": _source(name) for name in SHARED}


def engine_text(command: list[str] | None = None) -> str:
    """The contents of engine.txt: the command that starts this Python's engine, one word per line."""
    return _lines(command or [sys.executable, "-m", "cellspan.core.cli"])


def models_text() -> str:
    """The contents of models.txt: a model per line with its name, what it does, and words for people, tabs between."""
    usable = [model for model in known_models() if not model.problem]
    kinds = ["restores" if model.kind.restores else "finds" for model in usable]
    lines = zip([model.name for model in usable], kinds, [model.about for model in usable], strict=True)
    return "".join(_lines(parts).replace("\n", "\t").rstrip("\t") + "\n" for parts in lines)


def _lines(words: Iterable[str]) -> str:
    """Words, one per line.

    ImageJ reads files in the encoding of the computer; with %XX for everything but ASCII, paths are read correctly.
    """
    as_they_are = "".join(sign for sign in string.punctuation + " " if sign not in "%+")
    return "".join(quote(word, safe=as_they_are) + "\n" for word in words)


def engine_command(file: Path) -> list[str] | None:
    """The command that engine.txt holds; None if it cannot be read."""
    try:
        return [unquote(line) for line in file.read_text(encoding="ascii").splitlines()]
    except (OSError, ValueError):
        return None


def _installation(fiji_folder: Path) -> Installation:
    """The files to install; `fiji_folder` is that of Fiji or ImageJ, or its plugins folder."""
    home, plugins, is_fiji = _homes(Path(fiji_folder).expanduser().resolve())
    contents = {f"{plugins}/{ENGINE}": engine_text().encode()}
    if not is_fiji:
        contents[f"{plugins}/{MACRO}"] = _source(MACRO)
    else:
        contents |= command_files(plugins)
        contents[f"{plugins}/{MODELS}"] = models_text().encode()
    local = frozenset({f"{plugins}/{ENGINE}", f"{plugins}/{MODELS}"} & contents.keys())
    return Installation(home, contents, f"{plugins}/{RECORD}", command_line("fiji", home), local)


def _homes(folder: Path) -> tuple[Path, str, bool]:
    """The folder of Fiji or ImageJ, the name of its plugins folder, and whether it is a Fiji."""
    home = folder.parent if folder.name.lower() == "plugins" else folder
    plugins = folder if home != folder else folder / "plugins"
    if not plugins.is_dir():
        raise CellspanError(
            f"{folder}: this is not the folder of a Fiji or ImageJ, because it has no folder 'plugins'; "
            "give the folder that contains it, such as Fiji.app."
        )
    return home, plugins.name, (home / "scripts").is_dir() or (home / "jars").is_dir()


def _source(name: str) -> bytes:
    return files("cellspan.macros").joinpath(name).read_bytes()
