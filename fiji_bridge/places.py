"""Where people put Fiji and ImageJ: the usual folders of Windows, macOS and Linux."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

NAMES = ("Fiji.app", "Fiji", "fiji", "ImageJ", "ImageJ.app")
BELOW_HOME = ("", "Desktop", "Downloads", "Documents", "Applications", "Programs", "bin", "opt", "software")
SHARED = ("/Applications", "/opt", "/usr/local", "C:/", "C:/Program Files")
VARIABLES = ("LOCALAPPDATA", "ProgramFiles")  # folders of Windows that may have other names
PROGRAMS = ("ij.jar", "jars", "ImageJ.app")  # one of them lies beside the folder plugins


def imagej_folders() -> list[Path]:
    """Folders of Fiji and ImageJ that exist, each once."""
    found = [folder.resolve() for place in _places() for folder in _below(place)]
    return list(dict.fromkeys(folder for folder in found if _is_imagej(folder)))


def _places() -> Iterator[Path]:
    home = Path.home()
    yield from (home / name for name in BELOW_HOME)
    yield from (Path(name) for name in SHARED)
    yield from (Path(os.environ[name]) for name in VARIABLES if os.environ.get(name))


def _below(place: Path) -> Iterator[Path]:
    """Fiji's zip unpacks to a folder of its name, in which people find another of the same name."""
    for name in NAMES:
        yield place / name
        yield from (place / name / inner for inner in NAMES)


def _is_imagej(folder: Path) -> bool:
    try:
        return (folder / "plugins").is_dir() and any((folder / name).exists() for name in PROGRAMS)
    except OSError:  # another user's
        return False
