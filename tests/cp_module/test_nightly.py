"""The installed module in the nightly build of CellProfiler 5: `nox -s cellprofiler5`.

Without `-e imageio_reader`, that build reads TIFF through a Java library that it downloads when it runs.
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


def test_it_loads_the_plugin(cellprofiler_python: Path, plugin_folder: Path) -> None:
    findings = list(check(plugin_folder, cellprofiler_python))
    assert all(finding.good for finding in findings), findings
    for name, finding in zip(("IdentifyObjectsByFlow", "SegmentCellsAndNuclei"), findings[-2:], strict=True):
        assert re.search(rf"CellProfiler 5\S* loads {name}", finding.text)


@pytest.mark.parametrize("script", sorted(HERE.glob("in_cellprofiler/check_*.py")), ids=lambda path: path.stem)
def test_in_cellprofiler(
    script: Path, in_cellprofiler: Any, plugin_folder: Path, engine_home: Path, restoring_models: Path
) -> None:
    done = in_cellprofiler(script, plugin_folder, restoring_models)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.data
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_pipeline_finds_what_the_command_line_finds(
    in_cellprofiler: Any,
    cellspan: Callable,
    plugin_folder: Path,
    shared_data: Path,
    engine_home: Path,
    tmp_path: Path,
    suffix: str,
) -> None:
    """8 and 16 bits in one run."""
    images, out, expected, pipeline = tmp_path / "in", tmp_path / "out", tmp_path / "cli", tmp_path / "nuclei.cppipe"
    images.mkdir()
    out.mkdir()
    text, replaced = re.subn(r'"d0\.tif"', f'"d0{suffix}"', PIPELINE.read_text())
    assert replaced == 1
    pipeline.write_text(text)
    (human,) = (shared_data / "cellprofiler_examples" / "human").glob("*d0.tif")
    deep = imageio.imread(sorted((shared_data / "bbbc039" / "val").glob("*_img.png"))[0])[:300, :400]
    assert deep.dtype == np.uint16
    write = imageio.imwrite if suffix == ".png" else tifffile.imwrite
    write(images / f"eight_d0{suffix}", tifffile.imread(human))
    write(images / f"sixteen_d0{suffix}", deep)
    arguments = ["-c", "-r", "-p", pipeline, "-i", images, "-o", out, "--plugins-directory", plugin_folder]
    reader = [] if suffix == ".png" else ["-e", "imageio_reader"]
    done = in_cellprofiler("-m", "cellprofiler", *arguments, *reader)
    assert done.returncode == 0, done.stdout + done.stderr
    cellspan("segment", images, "-o", expected, "--save", "labels", *AS_IN_PIPELINE)
    for name in ("eight_d0", "sixteen_d0"):
        labels = tifffile.imread(expected / f"{name}_labels.tif")
        assert labels.max() > 5
        np.testing.assert_array_equal(tifffile.imread(out / f"{name}_labels.tiff"), labels, name)
