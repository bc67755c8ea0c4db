"""The installed module in the nightly build of CellProfiler 5: `nox -s cellprofiler5`.

Pictures are PNG here, because that build reads TIFF through a Java library that it downloads when it runs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

from cellspan.cp_module.install import check

HERE = Path(__file__).parent
PIPELINE = HERE / "pipelines" / "nuclei.cppipe"
AS_IN_PIPELINE = ("--model", "nuclei", "--exclude-on-edges")  # the settings of PIPELINE that are not defaults

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def cellprofiler_python() -> Path:
    """In place of the released CellProfiler; no release depends on a build of last night, so it may be missing."""
    path = os.environ.get("CELLSPAN_CELLPROFILER5_PYTHON")
    if not path:
        pytest.skip("CELLSPAN_CELLPROFILER5_PYTHON names no Python with CellProfiler 5; run `nox -s cellprofiler5`")
    assert Path(path).exists(), path
    return Path(path)


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """The pipeline of the other tests, for PNG files."""
    text, replaced = re.subn(r'"d0\.tif"', '"d0.png"', PIPELINE.read_text())
    assert replaced == 1
    path = tmp_path / "nuclei.cppipe"
    path.write_text(text)
    return path


def test_it_loads_the_plugin(cellprofiler_python: Path, plugin_folder: Path) -> None:
    findings = list(check(plugin_folder, cellprofiler_python))
    assert all(finding.good for finding in findings), findings
    for name, finding in zip(("IdentifyObjectsByFlow", "SegmentCellsAndNuclei"), findings[-2:], strict=True):
        assert re.search(rf"CellProfiler 5\S* loads {name}", finding.text)


@pytest.mark.parametrize("script", sorted(HERE.glob("in_cellprofiler/check_*.py")), ids=lambda path: path.stem)
def test_in_cellprofiler(script: Path, in_cellprofiler: Any, plugin_folder: Path, engine_home: Path) -> None:
    done = in_cellprofiler(script, plugin_folder)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.data
def test_a_pipeline_finds_what_the_command_line_finds(
    in_cellprofiler: Any,
    cellspan: Callable,
    plugin_folder: Path,
    pipeline: Path,
    shared_data: Path,
    engine_home: Path,
    tmp_path: Path,
) -> None:
    """8 and 16 bits in one run."""
    images, out, expected = tmp_path / "in", tmp_path / "out", tmp_path / "cli"
    images.mkdir()
    out.mkdir()
    (human,) = (shared_data / "cellprofiler_examples" / "human").glob("*d0.tif")
    deep = imageio.imread(sorted((shared_data / "bbbc039" / "val").glob("*_img.png"))[0])[:300, :400]
    assert deep.dtype == np.uint16
    imageio.imwrite(images / "eight_d0.png", tifffile.imread(human))
    imageio.imwrite(images / "sixteen_d0.png", deep)
    arguments = ["-c", "-r", "-p", pipeline, "-i", images, "-o", out, "--plugins-directory", plugin_folder]
    done = in_cellprofiler("-m", "cellprofiler", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    cellspan("segment", images, "-o", expected, "--save", "labels", *AS_IN_PIPELINE)
    for name in ("eight_d0", "sixteen_d0"):
        labels = tifffile.imread(expected / f"{name}_labels.tif")
        assert labels.max() > 5
        np.testing.assert_array_equal(tifffile.imread(out / f"{name}_labels.tiff"), labels, name)
