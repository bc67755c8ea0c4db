"""CellProfiler's zip, unpacked into the plugins folder of the real CellProfiler: its module makes the engine itself."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin

from release.contents import TEMPLATE, cellprofiler_files

from ..conftest import unavailable

pytestmark = pytest.mark.end_to_end

PAGE = Path(__file__).parents[2] / "docs" / "install_without_terminal.md"
CHECK = Path(__file__).parent / "in_cellprofiler" / "use_first_time.py"


@pytest.fixture
def dropped(dist: Path, tmp_path: Path) -> Path:
    """The plugins folder with the unpacked zip."""
    folder = tmp_path / "plugins folder"
    [archive] = dist.glob("*-cellprofiler.zip")
    zipfile.ZipFile(archive).extractall(folder)
    return folder


def fill_wheelhouse(folder: Path) -> None:
    """By the command in the documentation, in the folder with the wheel; with the Python that runs the tests."""
    [command] = re.findall(r"^```sh\npip (.*?)\n```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    [version] = re.findall(r"^uv=(.*)$", TEMPLATE.read_text(encoding="utf-8"), re.M)
    pip = f"'{find_uv_bin()}' run -q --no-project --python '{sys.executable}' --with pip python -m pip"
    words = f"{pip} {command.replace('UV_VERSION', version)}"
    done = subprocess.run(["bash", "-c", words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        unavailable(f"the packages cannot be downloaded: {done.stderr}")


def test_the_module_makes_its_engine_without_internet(
    in_cellprofiler, dropped: Path, engines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [wheel] = (dropped / "cellspan_plugin").glob("*.whl")
    fill_wheelhouse(wheel.parent)
    monkeypatch.setenv("UV_CACHE_DIR", str(engines.with_name("cache")))  # nothing from earlier times
    monkeypatch.setenv("UV_OFFLINE", "1")
    done = in_cellprofiler(CHECK, dropped, engines, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "done"
    # What the installer wrote is what was unpacked.
    for name, content in cellprofiler_files(wheel).items():
        assert (dropped / name).read_bytes() == content
