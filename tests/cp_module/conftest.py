"""What the tests of the CellProfiler side share: the installed plugin and a CellProfiler that runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cellspan.cp_module import install as installer

sys.path.insert(0, str(installer.PLUGIN))  # for unit tests of cellspan_plugin; CellProfiler gets an installed copy

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def plugin_folder(tmp_path: Path) -> Path:
    """A plugins folder as `cellspan install cellprofiler` leaves it."""
    folder = tmp_path / "plugins folder"  # with a space, as on many desktops
    folder.mkdir()
    installer.install(folder)
    return folder


@pytest.fixture
def in_cellprofiler(cellprofiler_python: Path) -> Run:
    """Run arguments with CellProfiler's Python, in an environment that knows nothing of ours."""

    def run(*arguments: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        command = [str(cellprofiler_python), *map(str, arguments)]
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL"))}
        environment.setdefault("JAVA_HOME", java_home())
        # As on a desktop: nothing of this repository is in reach of CellProfiler but the plugins folder.
        return subprocess.run(
            command,
            cwd=cellprofiler_python.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def run_pipeline(in_cellprofiler: Run, plugin_folder: Path, engine_home: Path) -> Run:
    """Run a pipeline as `cellprofiler -c -r` does."""

    def run(pipeline: Path, images: Path, output: Path) -> subprocess.CompletedProcess[str]:
        output.mkdir(exist_ok=True)
        arguments = ["-c", "-r", "-p", pipeline, "-i", images, "-o", output, "--plugins-directory", plugin_folder]
        return in_cellprofiler("-m", "cellprofiler", *arguments)

    return run


def java_home() -> str:
    """Where the `java` on the path lives."""
    java = shutil.which("java")
    if java is None:
        pytest.fail("CellProfiler needs Java, and there is no `java` on the path.")
    return str(Path(java).resolve().parents[1])
