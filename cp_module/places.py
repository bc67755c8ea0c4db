"""Where CellProfiler's plugins folders are on this computer: those that its preferences name, and its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

KEYS = ("PluginDirectoryCP4", "PluginDirectory")  # of CellProfiler 4 and 3
PREFERENCES = "CellProfilerLocal.cfg"  # as wxPython names and writes it: `key=value`, backslashes doubled
REGISTRY = r"Software\BroadInstitute\CellProfiler"


def plugin_folders() -> list[Path]:
    """Plugins folders that exist, each once, the one from the preferences first."""
    found = [*_from_registry(), *_from_preferences(), *_of_its_own()]
    return list(dict.fromkeys(folder.resolve() for folder in found if folder.is_dir()))


def _from_preferences() -> Iterator[Path]:
    home = Path.home()
    for folder in (_configuration(home), home, home / "Library" / "Preferences"):
        for path in (folder / PREFERENCES, folder / f".{PREFERENCES}"):
            try:
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError:
                continue
            values = dict(line.split("=", 1) for line in lines if "=" in line)
            yield from (Path(values[key].strip().replace("\\\\", "\\")) for key in KEYS if values.get(key, "").strip())


def _from_registry() -> Iterator[Path]:
    if sys.platform != "win32":
        return
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_CURRENT_USER, REGISTRY) as key:
            for name in KEYS:
                try:
                    yield Path(str(winreg.QueryValueEx(key, name)[0]))
                except OSError:  # not set
                    continue
    except OSError:  # CellProfiler was never started
        return


def _of_its_own() -> Iterator[Path]:
    """The folder that CellProfiler uses if none is set: below its data, which bears its version."""
    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    roaming = Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming")
    for folder in (data, roaming, home / "Library" / "Application Support"):
        yield from sorted(folder.glob("CellProfiler*/plugins"))
    yield from sorted(home.glob(".CellProfiler*/plugins"))


def _configuration(home: Path) -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
