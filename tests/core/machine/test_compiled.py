"""Compiled loops: kept where it can be written, announced once, not compiled twice, never alone on the interpreter."""

from __future__ import annotations

import importlib
import os
import pkgutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core.dispatcher import Dispatcher

import cellspan.core
from cellspan.core.machine.compiled import MESSAGE, cache_folder, njit


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """Folders that count as read-only, because tests may run as root, to whom everything is writable."""
    folders: set[Path] = set()
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) not in folders and may(path, mode))
    return folders


@pytest.mark.quick
def test_the_folder_is_the_first_that_can_be_written(tmp_path: Path, read_only: set[Path]) -> None:
    package, user = tmp_path / "site-packages", tmp_path / "home" / "cache"
    package.mkdir()
    assert cache_folder(package, user) is None
    read_only.add(package)
    assert cache_folder(package, user) == user
    assert user.is_dir()
    read_only.add(user)
    private = cache_folder(package, user)
    assert private is not None
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


@pytest.mark.quick
def test_without_a_home_the_folder_is_private(tmp_path: Path, read_only: set[Path]) -> None:
    read_only.add(tmp_path)
    (tmp_path / "home").write_text("not a folder")
    private = cache_folder(tmp_path, tmp_path / "home" / "cache")
    assert private is not None
    assert private.is_dir()


def dispatchers() -> dict[str, Dispatcher]:
    """Every compiled function of every module of cellspan.core, by its full name."""
    found = {}
    for module in pkgutil.walk_packages(cellspan.core.__path__, "cellspan.core."):
        if module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, Dispatcher):
                found[f"{module.name}.{name}"] = value
    return found


@pytest.mark.quick
def test_no_loop_holds_the_lock_of_the_interpreter() -> None:
    pytest.importorskip("torch")  # some modules need it
    found = dispatchers()
    assert len(found) > 40
    assert not [name for name, function in found.items() if not function.targetoptions.get("nogil")]


@pytest.mark.quick
def test_njit_takes_options_or_none() -> None:
    @njit
    def plain(x: int) -> int:
        return x + 1

    @njit(inline="always", fastmath=True)
    def other(x: int) -> int:
        return x + 2

    assert (plain(1), other(1)) == (2, 3)
    assert plain.targetoptions["nogil"]
    assert other.targetoptions["nogil"]
    assert other.targetoptions["fastmath"]


@pytest.mark.end_to_end
def test_compiled_once_and_announced(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    call = [sys.executable, "-c", "from cellspan.core.dynamics.following import warm_up; warm_up()"]
    first, second = (subprocess.run(call, env=environment, capture_output=True, text=True, check=True) for _ in "12")
    assert first.stderr.count(MESSAGE) == 1
    assert MESSAGE not in second.stderr
