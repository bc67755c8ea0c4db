"""Compiled loops: kept where it can be written, announced once, not compiled twice."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cellspan.core.compiled import MESSAGE, cache_folder


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


@pytest.mark.end_to_end
def test_compiled_once_and_announced(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    call = [sys.executable, "-c", "from cellspan.core.dynamics import warm_up; warm_up()"]
    first, second = (subprocess.run(call, env=environment, capture_output=True, text=True, check=True) for _ in "12")
    assert first.stderr.count(MESSAGE) == 1
    assert MESSAGE not in second.stderr
