"""The installer leaves a complete plugin behind, or a clear sentence and nothing."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from cellspan.core.errors import CellspanError
from cellspan.cp_module import install as installer
from cellspan.cp_module.install import install

pytestmark = pytest.mark.quick

EXPECTED = {
    "identifyobjectsbyflow.py",
    "cellspan_plugin/__init__.py",
    "cellspan_plugin/client.py",
    "cellspan_plugin/engine.json",
    "cellspan_plugin/engine.py",
    "cellspan_plugin/filters.py",
    "cellspan_plugin/pixels.py",
}


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_everything_is_there_and_nothing_else(tmp_path: Path) -> None:
    written = install(tmp_path)
    assert files_in(tmp_path) == EXPECTED
    assert sorted(written) == sorted(tmp_path / name for name in EXPECTED)


def test_only_the_module_lies_where_cellprofiler_looks_for_modules(tmp_path: Path) -> None:
    install(tmp_path)
    assert [path.name for path in tmp_path.glob("*.py")] == ["identifyobjectsbyflow.py"]


def test_the_client_is_the_one_of_the_engine(tmp_path: Path) -> None:
    install(tmp_path)
    spec = importlib.util.find_spec("cellspan.core.service.client")
    assert spec is not None
    assert spec.origin is not None
    assert (tmp_path / "cellspan_plugin/client.py").read_bytes() == Path(spec.origin).read_bytes()


def test_the_record_names_a_command_that_runs(tmp_path: Path) -> None:
    install(tmp_path)
    record = json.loads((tmp_path / "cellspan_plugin/engine.json").read_text())
    assert record["command"] == [sys.executable, "-m", "cellspan.core.cli", "serve"]
    assert record["version"]
    shown = subprocess.run([*record["command"], "--help"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "--idle-minutes" in shown.stdout


def test_a_second_time_replaces_the_first_and_leaves_other_plugins_alone(tmp_path: Path) -> None:
    (tmp_path / "runcellpose.py").write_text("mine")
    install(tmp_path)
    (tmp_path / "identifyobjectsbyflow.py").write_text("old")
    install(tmp_path)
    assert files_in(tmp_path) == EXPECTED | {"runcellpose.py"}
    assert (tmp_path / "runcellpose.py").read_text() == "mine"
    assert "class IdentifyObjectsByFlow" in (tmp_path / "identifyobjectsbyflow.py").read_text()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "plugins"
    with pytest.raises(CellspanError, match="no such folder") as caught:
        install(missing)
    assert str(missing) in str(caught.value)
    assert not missing.exists()


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CellspanError, match="no such folder"):
        install(tmp_path / "file")


@pytest.mark.parametrize("reason", ["No space left on device", "Permission denied"])
def test_a_disk_error_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    install(tmp_path)
    module = tmp_path / "identifyobjectsbyflow.py"
    module.write_text("the old one")

    def fail(*_: object) -> None:
        raise OSError(1, reason)

    monkeypatch.setattr(installer.os, "replace", fail)
    with pytest.raises(CellspanError, match=reason) as caught:
        install(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert module.read_text() == "the old one"
    assert files_in(tmp_path) == EXPECTED
