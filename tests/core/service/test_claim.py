"""The place of an engine: one at a time, announced whole and to nobody else, free again at the end."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.service import claim
from cellspan.core.service.claim import claim_place, installation, programs
from cellspan.core.service.client import SERVICE, read_record

pytestmark = pytest.mark.quick


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CELLSPAN_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setattr(claim, "PATIENCE", 0.01)
    return tmp_path / "runtime"


def test_the_place_is_taken_once_and_given_up(folder: Path) -> None:
    first = claim_place()
    assert first is not None
    assert claim_place() is None, "this program has an engine already"
    first.give_up()
    first.give_up()
    assert not (folder / SERVICE).exists()
    second = claim_place()
    assert second is not None
    second.give_up()


def test_it_is_announced_to_this_user_only(folder: Path) -> None:
    place = claim_place()
    assert place is not None
    place.announce(address="http://127.0.0.1:1", token="secret")
    record = read_record(folder)
    assert record is not None
    assert (record["pid"], record["token"], record["programs"]) == (os.getpid(), "secret", programs())
    assert [path.name for path in folder.glob("*.part")] == []
    if os.name == "posix":
        assert stat.S_IMODE((folder / SERVICE).stat().st_mode) == 0o600
    place.give_up()


def test_what_another_engine_announced_meanwhile_stays(folder: Path) -> None:
    place = claim_place()
    assert place is not None
    (folder / SERVICE).write_text(json.dumps({"pid": 1}))
    place.give_up()
    assert (folder / SERVICE).exists()


def test_another_program_has_its_place_beside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = claim_place()
    assert first is not None
    monkeypatch.setattr(claim, "programs", lambda: ["/elsewhere/bin"])
    other = claim_place()
    assert other is not None
    assert other.folder.parent == folder
    for place in (other, first):
        place.give_up()


def test_an_address_that_cannot_be_written_is_one_sentence(folder: Path) -> None:
    place = claim_place()
    assert place is not None
    (folder / SERVICE).unlink()
    (folder / SERVICE).mkdir()
    with pytest.raises(CellspanError, match="cannot write its address there"):
        place.announce()
    (folder / SERVICE).rmdir()
    place.give_up()


@pytest.mark.skipif(os.name != "posix", reason="sockets in folders")
def test_sockets_of_dead_engines_are_removed(folder: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folder.mkdir(mode=0o700)
    dead, alive, other = (folder / f"engine-{name}.sock" for name in (ended.pid, os.getpid(), "x"))
    for path in (dead, alive, other):
        path.touch()
    place = claim_place()
    assert place is not None
    assert [path.exists() for path in (dead, alive, other)] == [False, True, True]
    assert place.socket_path() in (None, alive)
    place.give_up()


def test_an_installation_is_known_by_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "core" / "service"
    package.mkdir(parents=True)
    monkeypatch.setattr(claim, "__file__", str(package / "claim.py"))
    (package / "claim.py").write_text("1")
    before = installation()
    assert installation() == before
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "claim.py").write_text("no source")
    (package / "notes.txt").write_text("no source either")
    assert installation() == before
    os.utime(package / "claim.py", (1, 1))
    assert installation() != before
