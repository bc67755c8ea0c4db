"""Fiji is found where people put it, and nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellspan.fiji_bridge import places
from cellspan.fiji_bridge.places import imagej_folders

pytestmark = pytest.mark.quick


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(places, "SHARED", ())
    return tmp_path


@pytest.mark.parametrize("place", ["Fiji.app", "Downloads/Fiji.app", "Desktop/Fiji/Fiji.app", "ImageJ"])
@pytest.mark.parametrize("beside", ["jars/imagej.jar", "ij.jar"])
def test_it_is_found(home: Path, place: str, beside: str) -> None:
    folder = home / place
    (folder / "plugins").mkdir(parents=True)
    (folder / beside).parent.mkdir(exist_ok=True)
    (folder / beside).touch()
    assert imagej_folders() == [folder]


def test_other_folders_are_none(home: Path) -> None:
    (home / "Fiji.app").mkdir()
    (home / "ImageJ" / "plugins").mkdir(parents=True)  # somebody's own folder
    assert imagej_folders() == []


def test_a_link_is_the_same_folder(home: Path) -> None:
    (home / "Fiji.app" / "plugins").mkdir(parents=True)
    (home / "Fiji.app" / "jars").mkdir()
    (home / "Fiji").symlink_to(home / "Fiji.app")
    assert imagej_folders() == [home / "Fiji.app"]
