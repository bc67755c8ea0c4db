"""Compiled code is kept where it can be written, used where it cannot, announced once, and nobody else's business."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numba
import pytest

from cellspan.core.machine import kept_code
from cellspan.core.machine.kept_code import (
    EVERY_TIME,
    MESSAGE,
    PROGRESS,
    cache_folder,
    look_for_code,
    place_of_new_code,
    preparing,
)

LOOPS = """
from cellspan.core.machine.compiled import njit, prange

@njit
def square(x):
    return x * x

@njit(parallel=True)
def squares(n):
    total = 0
    for i in prange(n):
        total += square(i)
    return total
"""


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


@pytest.mark.quick
def test_a_folder_of_compiled_files_that_belongs_to_somebody_else(tmp_path: Path, read_only: set[Path]) -> None:
    (tmp_path / "__pycache__").mkdir()
    assert cache_folder(tmp_path, tmp_path / "user") is None
    read_only.add(tmp_path / "__pycache__")
    assert cache_folder(tmp_path, tmp_path / "user") == tmp_path / "user"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path | None], None]]:
    """Says where new code goes: beside the loops' file (None) or into a folder."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")

    def choose(folder: Path | None) -> None:
        monkeypatch.setattr(kept_code, "cache_folder", lambda package, user: folder)
        place_of_new_code.cache_clear()

    yield choose
    place_of_new_code.cache_clear()


def loops(folder: Path) -> ModuleType:
    """The loops as a new process would see them; their file is written once."""
    file = folder / "loops.py"
    if not file.exists():
        folder.mkdir(exist_ok=True)
        file.write_text(LOOPS)
    spec = spec_from_file_location("loops", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compiled(module: ModuleType) -> bool:
    """Run the loops: whether anything had to be compiled."""
    assert module.squares(4) == 14
    return bool(module.squares.stats.cache_misses)


def code_in(folder: Path) -> list[str]:
    return sorted({path.name.partition("-")[0] for path in folder.rglob("*.nbc")})


def test_code_of_the_installation_is_used_where_nobody_can_write(
    tmp_path: Path, place: Callable[[Path | None], None]
) -> None:
    """As after an administrator's first run; also the user's cache stays empty."""
    installed, own = tmp_path / "installed", tmp_path / "own"
    place(None)
    assert compiled(loops(installed))
    assert code_in(installed) == ["loops.square", "loops.squares"]
    place(own)
    assert not compiled(loops(installed))
    assert not own.exists()


def test_what_the_installation_lacks_is_kept_elsewhere(tmp_path: Path, place: Callable[[Path | None], None]) -> None:
    installed, own = tmp_path / "installed", tmp_path / "own"
    place(own)
    assert compiled(loops(installed))
    assert (code_in(installed), code_in(own)) == ([], ["loops.square", "loops.squares"])
    assert not compiled(loops(installed))


def test_images_of_containers_round_the_times_of_files(tmp_path: Path, place: Callable[[Path | None], None]) -> None:
    place(None)
    file = tmp_path / "loops.py"
    file.write_text(LOOPS)
    os.utime(file, ns=(0, 1_700_000_000_250_000_000))
    assert compiled(loops(tmp_path))
    os.utime(file, ns=(0, 1_700_000_000_000_000_000))
    assert not compiled(loops(tmp_path))
    os.utime(file, ns=(0, 1_700_000_001_000_000_000))
    assert compiled(loops(tmp_path)), "another version of the file"


def test_looking_for_code_compiles_nothing(tmp_path: Path, place: Callable[[Path | None], None]) -> None:
    place(None)
    found = look_for_code(lambda: loops(tmp_path).squares(4))
    assert (found.complete, found.place.folder, found.place.lasting) == (False, None, True)
    assert code_in(tmp_path) == []
    assert compiled(loops(tmp_path))
    assert look_for_code(lambda: loops(tmp_path).squares(4)).complete


@pytest.mark.quick
def test_the_users_variable_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    place_of_new_code.cache_clear()
    assert place_of_new_code() == kept_code.Place(tmp_path / "cache", lasting=True)
    place_of_new_code.cache_clear()


def test_code_that_cannot_be_kept_is_used_all_the_same(
    tmp_path: Path, place: Callable[[Path | None], None], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    place(tmp_path / "file")
    kept_code._warn_of_no_room.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert compiled(loops(tmp_path))
    assert [record.message for record in caplog.records if "cannot be kept" in record.message]


@pytest.mark.parametrize(("lasting", "message"), [(True, MESSAGE), (False, EVERY_TIME)])
def test_only_code_of_cellspan_is_announced(
    lasting: bool,
    message: str,
    tmp_path: Path,
    place: Callable[[Path | None], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    place(None)
    monkeypatch.setattr(kept_code, "PATIENCE", 0.0001)
    monkeypatch.setattr(kept_code, "_announcement", kept_code._Announcement())
    monkeypatch.setattr(kept_code, "place_of_new_code", lambda: kept_code.Place(None, lasting))
    heard = [preparing()]
    tell = kept_code.log.warning
    monkeypatch.setattr(kept_code.log, "warning", lambda *words: (heard.append(preparing()), tell(*words)))
    with caplog.at_level(logging.WARNING):
        assert numba.njit(lambda x: x + 1)(1) == 2
        assert not caplog.records
        compiled(loops(tmp_path))
    heard.append(preparing())
    assert [record.message for record in caplog.records] == [message]
    assert heard == [None, PROGRESS.format("once" if lasting else "at every start"), None], "only meanwhile"


@pytest.mark.end_to_end
def test_compiled_once_and_announced(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    call = [sys.executable, "-c", "from cellspan.core.dynamics.labelling import warm_up; warm_up()"]
    first, second = (subprocess.run(call, env=environment, capture_output=True, text=True, check=True) for _ in "12")
    assert first.stderr.count(MESSAGE) == 1
    assert MESSAGE not in second.stderr


READ_ONLY = """
mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"
"""
LOOK = """
from pathlib import Path
import loops
assert loops.squares(4) == 14
print(sum(loops.squares.stats.cache_misses.values()))
"""


@pytest.mark.end_to_end
@pytest.mark.skipif(sys.platform != "linux", reason="mounts a folder read-only")
def test_a_file_system_that_is_read_only(tmp_path: Path) -> None:
    """Nothing is pretended here: a read-only mount, no home; the administrator's code is found at every start."""
    unshare = ["unshare", "--mount", "--map-root-user", "sh", "-c", READ_ONLY, "sh"]
    if not shutil.which("unshare") or subprocess.run([*unshare, str(tmp_path), "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a folder")
    (tmp_path / "loops.py").write_text(LOOPS)
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    environment |= {"HOME": "/nonexistent", "PYTHONPATH": str(tmp_path)}
    call = [sys.executable, "-c", LOOK]

    def misses(*before: str) -> int:
        done = subprocess.run([*before, *call], env=environment, capture_output=True, text=True, check=True)
        return int(done.stdout)

    read_only = [*unshare, str(tmp_path)]
    assert misses(*read_only) == 1, "nobody has compiled it yet"
    assert misses() == 1
    assert misses(*read_only) == 0
