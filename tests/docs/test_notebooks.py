"""The notebooks in docs/notebooks run from beginning to end, and are stored without what they print."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "docs" / "notebooks"
PIPELINE = NOTEBOOKS / "nuclei.cppipe"
SECONDS = 200  # for one cell


def stored(name: str) -> Any:
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


@pytest.mark.quick
@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_is_stored_as_it_was_written(path: Path) -> None:
    notebook = stored(path.stem)
    assert notebook.cells[0].source.startswith("# ")
    for cell in notebook.cells:
        assert cell.cell_type == "markdown" or (cell.outputs == [] and cell.execution_count is None)
    assert f"notebooks/{path.name}" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")


@pytest.mark.quick
def test_the_pipeline_beside_them_is_that_of_the_tests() -> None:
    assert PIPELINE.read_bytes() == (ROOT / "tests" / "cp_module" / "pipelines" / "nuclei.cppipe").read_bytes()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to run in, with this Python's commands on the path."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def run(name: str, place: Path) -> list[str]:
    """What each cell of code shows, as text."""
    notebook = stored(name)
    resources = {"metadata": {"path": str(place)}}
    nbclient.NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=resources).execute()
    return [said(cell) for cell in notebook.cells if cell.cell_type == "code"]


def said(cell: Any) -> str:
    texts = [
        output.get("text") or output["data"].get("text/html") or output["data"]["text/plain"] for output in cell.outputs
    ]
    return "".join(texts)


PICTURE = "data:image/png;base64,"


@pytest.mark.end_to_end
def test_quick_start(place: Path) -> None:
    shown = run("quick_start", place)
    assert PICTURE in shown[0]
    assert PICTURE in shown[2]
    assert "nuclei; half of them are larger" in shown[4]
    assert (place / "nuclei_labels.tif").exists()
    assert (place / "nuclei_rois.zip").exists()


@pytest.mark.end_to_end
def test_fine_tuning(place: Path) -> None:
    shown = run("fine_tuning", place)
    assert re.match(r"average precision: [01]\.\d+ before, [01]\.\d+ after\n", shown[-1])
    assert (place / "my_model" / "model.json").exists()


@pytest.mark.end_to_end
def test_volumes(place: Path) -> None:
    shown = run("volumes", place)
    assert PICTURE in shown[0]
    assert len(re.findall(r"average precision [01]\.\d", shown[2])) == 2
    assert PICTURE in shown[-1]


@pytest.mark.end_to_end
def test_cellprofiler_batch(place: Path, engine_home: Path, cellprofiler_python: Path) -> None:
    shutil.copy(PIPELINE, place)
    shown = run("cellprofiler_batch", place)
    assert shown[3].count(" nuclei, ") == 4
    assert PICTURE in shown[-1]


@pytest.mark.end_to_end
def test_imagej(place: Path, imagej_in_python: None) -> None:
    shown = run("imagej", place)
    count, outlines = shown[2].strip("()").split(", ")
    assert count == outlines != "0"
    assert shown[3].count(" pixels, mean ") == 5
    assert PICTURE in shown[-1]
