"""The installer leaves a plugin behind that CellProfiler loads, or a clear sentence; it says what is wrong with one."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cellspan.core.errors import CellspanError
from cellspan.cp_module import install as installer
from cellspan.cp_module.install import FROM_CORE, PLUGIN, check, install, remove

quick = pytest.mark.quick

MODULE, ALIAS = "identifyobjectsbyflow.py", "segmentcellsandnuclei.py"
SOURCES = {path.relative_to(PLUGIN).as_posix() for path in PLUGIN.rglob("*.py")}
COPIED = {f"cellspan_plugin/{name}": module for name, module in FROM_CORE.items()}
EXPECTED = SOURCES | set(COPIED) | {"cellspan_plugin/engine.json", "cellspan_plugin/installed.json"}


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def faults(folder: Path, program: Path | None = None) -> list[str]:
    return [finding.text for finding in check(folder, program) if finding.good is False]


@pytest.fixture
def no_cellprofiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a computer where no Python has CellProfiler."""
    monkeypatch.delenv("CELLSPAN_CELLPROFILER_PYTHON", raising=False)
    monkeypatch.setenv("PATH", "")


@quick
def test_everything_is_there_and_nothing_else(tmp_path: Path) -> None:
    written = install(tmp_path)
    assert files_in(tmp_path) == EXPECTED
    assert sorted(written) == sorted(tmp_path / name for name in EXPECTED)
    assert {MODULE, "cellspan_plugin/__init__.py", "cellspan_plugin/engine.py", "cellspan_plugin/layout.py"} < EXPECTED


@quick
def test_only_the_module_lies_where_cellprofiler_looks_for_modules(tmp_path: Path) -> None:
    install(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.py")) == [MODULE, ALIAS]


@quick
def test_the_module_comes_after_its_helpers(tmp_path: Path) -> None:
    """CellProfiler may look in between."""
    written = [path.relative_to(tmp_path).as_posix() for path in install(tmp_path)]
    assert written.index(MODULE) > max(written.index(name) for name in SOURCES - {MODULE, ALIAS})


@quick
def test_the_parts_of_core_are_as_they_are_in_core(tmp_path: Path) -> None:
    install(tmp_path)
    for name, module in COPIED.items():
        spec = importlib.util.find_spec(module)
        assert spec is not None
        assert spec.origin is not None
        assert (tmp_path / name).read_bytes() == Path(spec.origin).read_bytes()


@quick
def test_the_record_names_a_command_that_runs(tmp_path: Path) -> None:
    install(tmp_path)
    record = json.loads((tmp_path / "cellspan_plugin/engine.json").read_text())
    assert record["command"] == [sys.executable, "-m", "cellspan.core.cli", "serve"]
    assert record["version"]
    shown = subprocess.run([*record["command"], "--help"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "--idle-minutes" in shown.stdout


@quick
def test_a_second_time_replaces_the_first_and_leaves_other_plugins_alone(tmp_path: Path) -> None:
    (tmp_path / "runcellpose.py").write_text("mine")
    install(tmp_path)
    (tmp_path / MODULE).write_text("old")
    install(tmp_path)
    assert files_in(tmp_path) == EXPECTED | {"runcellpose.py"}
    assert (tmp_path / "runcellpose.py").read_text() == "mine"
    assert "class IdentifyObjectsByFlow" in (tmp_path / MODULE).read_text()


@quick
def test_helpers_of_an_earlier_version_go(tmp_path: Path) -> None:
    install(tmp_path)
    record = tmp_path / installer.RECORD
    listed = json.loads(record.read_text())
    old = tmp_path / "cellspan_plugin" / "old_helper.py"
    old.write_text("")
    listed["files"].append("cellspan_plugin/old_helper.py")
    record.write_text(json.dumps(listed))
    assert any("old_helper.py: the file is of an earlier cellspan" in fault for fault in faults(tmp_path))
    install(tmp_path)
    assert files_in(tmp_path) == EXPECTED


@quick
def test_removing_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "runcellpose.py").write_text("mine")
    install(tmp_path)
    remove(tmp_path)
    assert [*tmp_path.rglob("*")] == [tmp_path / "runcellpose.py"]


@quick
@pytest.mark.parametrize("action", [install, remove, lambda folder: list(check(folder))])
def test_a_missing_folder_is_named(tmp_path: Path, action: Any) -> None:
    missing = tmp_path / "plugins"
    (tmp_path / "file").write_text("")
    for folder in (missing, tmp_path / "file"):
        with pytest.raises(CellspanError, match="no such folder") as caught:
            action(folder)
        assert str(folder) in str(caught.value)
    assert not missing.exists()


@quick
def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "cellspan_plugin" / "engine.py").mkdir(parents=True)
    with pytest.raises(CellspanError, match=r"engine\.py: the file cannot be written"):
        install(tmp_path)
    assert not (tmp_path / MODULE).exists(), "CellProfiler would show a module that fails"
    assert not [name for name in files_in(tmp_path) if ".part" in name]


@quick
@pytest.mark.usefixtures("no_cellprofiler")
def test_a_healthy_plugin_is_called_so(tmp_path: Path) -> None:
    install(tmp_path)
    findings = list(check(tmp_path))
    assert [finding.good for finding in findings] == [True, True, None]
    assert "not tested in CellProfiler, because none was found" in findings[-1].text


@quick
@pytest.mark.usefixtures("no_cellprofiler")
@pytest.mark.parametrize("name", [MODULE, "cellspan_plugin/client.py"])
def test_missing_and_changed_files_are_found(tmp_path: Path, name: str) -> None:
    install(tmp_path)
    (tmp_path / name).write_text((tmp_path / name).read_text() + "# mine\n")
    (fault,) = faults(tmp_path)
    assert f"{tmp_path / name}: the file is not as cellspan" in fault
    (tmp_path / name).unlink()
    (fault,) = faults(tmp_path)
    assert fault == f"{tmp_path / name}: the file is missing; run `cellspan install cellprofiler --to {tmp_path}`"


@quick
@pytest.mark.usefixtures("no_cellprofiler")
def test_an_engine_that_is_gone_is_found(tmp_path: Path) -> None:
    install(tmp_path)
    engine = tmp_path / installer.ENGINE
    gone = tmp_path / "old environment" / "bin" / "python"
    engine.write_text(json.dumps({"command": [str(gone), "-m", "cellspan.core.cli", "serve"]}))
    (fault,) = faults(tmp_path)
    assert fault.startswith(f"{gone}: the engine's Python is not there any more")
    for content in ("", "{}", '{"command": "serve"}', '{"command": ["serve"]}'):
        engine.write_text(content)
        (fault,) = faults(tmp_path)
        assert "does not say where the engine is" in fault


@quick
@pytest.mark.usefixtures("no_cellprofiler")
def test_an_empty_folder_has_nothing_to_check(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path)
    assert "cellspan is not installed there; run `cellspan install cellprofiler --to" in fault


@quick
def test_the_command_line(tmp_path: Path, cellspan: Any, no_cellprofiler: None) -> None:
    to = ("install", "cellprofiler", "--to", tmp_path)
    done = cellspan(*to)
    assert files_in(tmp_path) == EXPECTED
    assert done.stdout.startswith(f"ok   {tmp_path}: {len(EXPECTED) - 1} files")  # besides the record
    assert done.stdout.splitlines()[-1].startswith("Restart CellProfiler")
    assert cellspan(*to, "--check").stdout.startswith("ok   ")
    (tmp_path / MODULE).unlink()
    wrong = cellspan(*to, "--check", check=False)
    assert wrong.returncode == 1
    assert f"FAIL {tmp_path / MODULE}: the file is missing" in wrong.stdout
    assert f"removed {tmp_path / 'cellspan_plugin/engine.py'}" in cellspan(*to, "--remove").stdout
    assert files_in(tmp_path) == set()
    assert "cellspan is not installed here" in cellspan(*to, "--remove").stdout
    both = cellspan(*to, "--check", "--remove", check=False)
    assert both.returncode == 2
    assert "not both" in both.stderr


@pytest.mark.end_to_end
def test_cellprofiler_is_asked_to_load_the_plugin(tmp_path: Path, cellspan: Any, cellprofiler_python: Path) -> None:
    folder = tmp_path / "my plugins"
    folder.mkdir()
    to = ("install", "cellprofiler", "--to", folder, "--cellprofiler", cellprofiler_python)
    assert "CellProfiler 4.2" in cellspan(*to).stdout
    done = cellspan(*to, "--check")
    assert f"loads IdentifyObjectsByFlow ({cellprofiler_python})" in done.stdout
    assert files_in(folder) == EXPECTED, "looking leaves compiled files behind"


@pytest.mark.end_to_end
@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        (MODULE, "import no_such_library\n", "no_such_library"),
        (MODULE, "def broken(:\n", "SyntaxError"),
        ("cellspan_plugin/layout.py", "LABELS = None\n", "ImportError"),
    ],
)
def test_what_cellprofiler_cannot_load_is_named(
    tmp_path: Path, cellspan: Any, cellprofiler_python: Path, name: str, text: str, reason: str
) -> None:
    install(tmp_path)
    (tmp_path / name).write_text(text)
    to = ("install", "cellprofiler", "--to", tmp_path)
    done = cellspan(*to, "--check", "--cellprofiler", cellprofiler_python, check=False)
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if "does not load it" in line]
    assert line.startswith(f"FAIL {tmp_path / MODULE}: CellProfiler 4")
    assert reason in line
