"""CellProfiler's plugins folders: named in its preferences, or its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellspan.cp_module.places import plugin_folders

pytestmark = pytest.mark.quick


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("file", [".config/CellProfilerLocal.cfg", ".CellProfilerLocal.cfg"])
@pytest.mark.parametrize("key", ["PluginDirectoryCP4", "PluginDirectory"])
def test_the_one_of_the_preferences(home: Path, file: str, key: str) -> None:
    folder = home / "my plug=ins"
    folder.mkdir()
    (home / file).parent.mkdir(exist_ok=True)
    (home / file).write_text(f"[group]\nPreferencesVersion=1\n{key}={folder}\n", encoding="utf-8")
    assert plugin_folders() == [folder]


@pytest.mark.parametrize("data", [".local/share/CellProfiler4.2.8.1", "Library/Application Support/CellProfiler4"])
def test_its_own(home: Path, data: str) -> None:
    folder = home / data / "plugins"
    folder.mkdir(parents=True)
    assert plugin_folders() == [folder]


def test_a_folder_that_is_gone_or_not_set_is_none(home: Path) -> None:
    (home / ".config").mkdir()
    (home / ".config" / "CellProfilerLocal.cfg").write_text(
        f"PluginDirectoryCP4={home / 'gone'}\nPluginDirectory=\n", encoding="utf-8"
    )
    assert plugin_folders() == []
