"""A plugin without its engine says what to run, in one sentence."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cellspan_plugin.engine import NotInstalled, engine_command

pytestmark = pytest.mark.quick


def connected(folder: Path, record: object) -> Path:
    package = folder / "cellspan_plugin"
    package.mkdir()
    (package / "client.py").write_text("")
    (package / "engine.json").write_text(record if isinstance(record, str) else json.dumps(record))
    return package


def test_the_command_of_the_installer(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cellspan.core.cli", "serve"]
    assert engine_command(connected(tmp_path, {"command": command, "version": "1"})) == command


@pytest.mark.parametrize("record", ["", "{", [], {}, {"command": []}, {"command": "python"}, {"command": [1]}])
def test_a_damaged_record_is_no_engine(tmp_path: Path, record: object) -> None:
    with pytest.raises(NotInstalled, match="pip install cellspan"):
        engine_command(connected(tmp_path, record))


def test_a_plain_copy_of_the_plugin_has_no_engine(tmp_path: Path) -> None:
    with pytest.raises(NotInstalled, match=f"cellspan install cellprofiler --to {tmp_path}"):
        engine_command(tmp_path / "cellspan_plugin")


def test_a_record_without_a_client_is_no_engine(tmp_path: Path) -> None:
    package = connected(tmp_path, {"command": [sys.executable]})
    (package / "client.py").unlink()
    with pytest.raises(NotInstalled, match="not connected"):
        engine_command(package)


def test_a_python_that_is_gone_is_named(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone" / "python")
    with pytest.raises(NotInstalled, match="no longer") as caught:
        engine_command(connected(tmp_path, {"command": [gone, "-m", "x"]}))
    assert gone in str(caught.value)
    assert "\n" not in str(caught.value)
