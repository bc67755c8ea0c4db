"""The page's client finds the engine of its own process, and never starts another one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cellspan.core.service.client import EngineError
from cellspan.review_page.engine import OwnEngine

pytestmark = pytest.mark.quick


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("CELLSPAN_RUNTIME_DIR", str(folder))
    return folder


def announce(folder: Path, pid: int) -> None:
    path = folder / "service.json"
    path.write_text(json.dumps({"pid": pid, "address": "http://127.0.0.1:9", "token": "x"}))
    path.chmod(0o600)


@pytest.mark.parametrize("pid", [0, os.getppid(), os.getpid()], ids=["none", "another", "this one"])
def test_it_starts_nothing(pid: int, runtime: Path) -> None:
    if pid:
        announce(runtime, pid)
    engine = OwnEngine(interactive=True)
    assert (engine._service is not None) == (pid == os.getpid())
    with pytest.raises(EngineError, match="open the page again"):
        engine.connect()
    assert not (runtime / "service.lock").exists()
