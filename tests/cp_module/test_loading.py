"""Where no CellProfiler can be asked, the files are read; where one is named that cannot be asked, that is said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cellspan.core.errors import CellspanError
from cellspan.cp_module.install import plugin_contents
from cellspan.cp_module.loading import check_loading, find_python, read_sources

pytestmark = pytest.mark.quick


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CELLSPAN_CELLPROFILER_PYTHON", raising=False)
    monkeypatch.setenv("PATH", "")


def program(path: Path, first_line: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(first_line + "\n")
    path.chmod(0o755)
    return path


def test_the_plugin_has_no_faults() -> None:
    assert list(read_sources(plugin_contents())) == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (b"match x:\n    case 1: pass\n", "the file is not valid Python 3.8"),
        (b"def f(:\n", "the file is not valid Python 3.8"),
        (b"class Thing: pass\nimport torch.nn\nfrom cellpose import models\n", "does not have (cellpose, torch)"),
        (b"import numpy\n", "the file needs a class with the same name"),
        (b"class Thing: pass\nclass THING: pass\n", "the file needs a class with the same name"),
    ],
)
def test_what_cellprofiler_could_not_load(source: bytes, fault: str) -> None:
    ((name, found),) = read_sources({"thing.py": source})
    assert name == "thing.py"
    assert fault in found


def test_a_module_may_use_its_own_package() -> None:
    sources = {"thing.py": b"import things.helper\nclass Thing: pass\n", "things/helper.py": b"import numpy\n"}
    assert list(read_sources(sources)) == []


def test_faults_are_told_without_a_cellprofiler(tmp_path: Path) -> None:
    (finding,) = check_loading(tmp_path, {"thing.py": b"import torch\nclass Thing: pass\n"}, None)
    assert finding.good is False
    assert finding.text.startswith(
        f"{tmp_path / 'thing.py'}: the file imports packages that CellProfiler does not have (torch)"
    )


def test_nothing_is_found_where_there_is_none() -> None:
    assert find_python(None) is None


def test_a_python_is_taken_as_it_is() -> None:
    assert find_python(Path(sys.executable)) == Path(sys.executable)


def test_the_variable_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELLSPAN_CELLPROFILER_PYTHON", sys.executable)
    assert find_python(None) == Path(sys.executable)


def test_the_python_behind_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = program(tmp_path / "bin" / "cellprofiler", f"#!{sys.executable}")
    assert find_python(command) == Path(sys.executable)
    monkeypatch.setenv("PATH", str(command.parent))
    assert find_python(None) == Path(sys.executable)


def test_the_python_beside_a_command(tmp_path: Path) -> None:
    python = program(tmp_path / "bin" / "python")
    assert find_python(program(tmp_path / "bin" / "cellprofiler")) == python


@pytest.mark.parametrize(
    ("name", "sentence"), [("gone", "no such program"), ("CellProfiler", "this program has no Python")]
)
def test_a_named_program_that_cannot_be_asked(tmp_path: Path, name: str, sentence: str) -> None:
    program(tmp_path / "CellProfiler")
    with pytest.raises(CellspanError, match=sentence) as caught:
        find_python(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_a_python_without_cellprofiler(tmp_path: Path) -> None:
    (finding,) = check_loading(tmp_path, {"thing.py": b"class Thing: pass\n"}, Path(sys.executable))
    assert finding.good is False
    assert "CellProfiler cannot be started with it" in finding.text
    assert "No module named 'cellprofiler_core'" in finding.text
