"""The commands on the pages "I use ..." run as they stand there, one after the other.

`pip install .` is left out: the tests run in such an installation already.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.core.training.simulate import simulate_nuclei

ROOT = Path(__file__).parents[2]
PIPELINES = ROOT / "tests" / "cp_module" / "pipelines"
INSTALLING = "pip install ."
MOST_STEPS = 5

pytestmark = pytest.mark.end_to_end


def page(name: str) -> str:
    return (ROOT / "docs" / f"use_{name}.md").read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """The commands of a page, each as it is printed."""
    return re.findall(rf"^```{language}\n(.*?)^```", page(name), re.M | re.S)


@pytest.fixture
def place(tmp_path: Path, engine_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything that the pages name."""
    for seed in (1, 2):
        field = simulate_nuclei((200, 200), diameter=22, seed=seed)
        for folder, ending, picture in (
            ("my_images", "", field.image),
            ("plate1", "d0", field.image),
            ("my_annotations", "", field.image),
            ("my_annotations", "_masks", field.labels.astype(np.uint16)),
        ):
            (tmp_path / folder).mkdir(exist_ok=True)
            tifffile.imwrite(tmp_path / folder / f"field_{seed}{ending}.tif", picture)
    for folder in ("PLUGINS_FOLDER", "FIJI_FOLDER/plugins", "FIJI_FOLDER/scripts", "FIJI_FOLDER/jars"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "FIJI_FOLDER" / "ImageJ-linux64").touch()
    shutil.copy(PIPELINES / "nuclei.cppipe", tmp_path / "my.cppipe")
    shutil.copy(next((PIPELINES / "runcellpose").glob("*.cppipe")), tmp_path / "old.cppipe")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))  # imported models
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.quick
@pytest.mark.parametrize("name", ["cellprofiler", "fiji", "python"])
def test_a_page_has_at_most_five_steps(name: str) -> None:
    steps = re.findall(r"^\*\*(\d)\. ", page(name), re.M)
    assert steps == [str(number + 1) for number in range(MOST_STEPS)]
    assert blocks(name, "sh")[0].strip() == INSTALLING


def run(*commands: str, program: tuple[str, ...] = ("bash", "-euc")) -> str:
    """Run one after the other; returns what the last one prints."""
    done = None
    for command in commands:
        done = subprocess.run([*program, command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}{done.stdout}{done.stderr}"
    return done.stdout if done else ""


def test_cellprofiler(place: Path, cellprofiler_python: Path) -> None:
    run(*blocks("cellprofiler", "sh")[1:])
    assert (place / "PLUGINS_FOLDER" / "identifyobjectsbyflow.py").exists()
    assert "IdentifyObjectsByFlow" in (place / "new.cppipe").read_text(encoding="utf-8")
    assert list((place / "results").glob("*.csv"))


def test_fiji(place: Path) -> None:
    run(*blocks("fiji", "sh")[1:])
    assert (place / "FIJI_FOLDER" / "scripts" / "Plugins" / "cellspan" / "Segment_Cells.groovy").exists()
    assert len(list((place / "results").glob("*_rois.zip"))) == 2


def test_python(place: Path) -> None:
    _, segment, *others = blocks("python", "sh")
    run(segment)
    [program] = blocks("python", "python")
    assert re.fullmatch(r"[1-9]\d* objects of about \d+ pixels\n", run(program, program=(sys.executable, "-c")))
    run(*(other.replace("--minutes 1", "--minutes 0.2") for other in others))
    assert (place / "my_model" / "model.json").exists()
