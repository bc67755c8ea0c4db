"""CellProfiler's zip, unpacked into the plugins folder of the real CellProfiler: its module makes the engine itself."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin

from release.contents import TEMPLATE, cellprofiler_files

from ..conftest import unavailable

pytestmark = pytest.mark.end_to_end

CHECK = Path(__file__).parent / "in_cellprofiler" / "check_first_use.py"


@pytest.fixture
def dropped(dist: Path, tmp_path: Path) -> Path:
    """The plugins folder with the unpacked zip."""
    folder = tmp_path / "plugins folder"
    [archive] = dist.glob("*-cellprofiler.zip")
    zipfile.ZipFile(archive).extractall(folder)
    return folder


def fill(wheelhouse: Path, wheel: Path) -> None:
    """As the documentation says, with the Python that runs the tests."""
    [uv] = [line for line in TEMPLATE.read_text(encoding="utf-8").splitlines() if line.startswith("uv=")]
    pip = [
        find_uv_bin(),
        "run",
        "-q",
        "--no-project",
        "--python",
        sys.executable,
        "--with",
        "pip",
        "python",
        "-m",
        "pip",
    ]
    download = ["download", "-q", "--only-binary", ":all:", "-d", wheelhouse, wheel, uv.replace("=", "==")]
    done = subprocess.run([*map(str, pip), *map(str, download)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        unavailable(f"the packages cannot be downloaded: {done.stderr}")


def test_the_module_makes_its_engine_without_internet(
    in_cellprofiler, dropped: Path, engines: Path, engine_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [wheel] = (dropped / "cellspan_plugin").glob("*.whl")
    fill(dropped / "cellspan_plugin" / "wheelhouse", wheel)
    monkeypatch.setenv("UV_CACHE_DIR", str(engines.with_name("cache")))  # nothing from earlier times
    monkeypatch.setenv("UV_OFFLINE", "1")
    done = in_cellprofiler(CHECK, dropped, engines, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "done"
    # What the installer wrote is what was unpacked.
    for name, content in cellprofiler_files(wheel).items():
        assert (dropped / name).read_bytes() == content
