"""The commands and the bridge in a full Fiji, which CELLSPAN_FIJI names (the nox session `fiji`).

Nothing is changed in that folder: the tests work on a copy of it. A Fiji is not on Maven Central, so where there is
none, the same commands are tested in plain ImageJ and through GroovyShell (tests/macros).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import programs
import pytest

HERE = Path(__file__).parent
FIJI = os.environ.get("CELLSPAN_FIJI", "")

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(not FIJI, reason="CELLSPAN_FIJI does not point at the folder of a Fiji"),
]


@pytest.fixture(scope="module")
def fiji(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the Fiji, with the commands installed."""
    copy = tmp_path_factory.mktemp("fiji") / "Fiji.app"
    shutil.copytree(FIJI, copy, symlinks=True, copy_function=_link_or_copy)
    subprocess.run([sys.executable, "-m", "cellspan.core.cli", "install", "fiji", "--to", str(copy)], check=True)
    return copy


def _link_or_copy(source: str, target: str) -> None:
    """A second name for a file where the file system allows it, because a Fiji has a gigabyte."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def run(program: str, *arguments: object, **environment: str) -> None:
    done = programs.run([sys.executable, HERE / "in_fiji" / program, *arguments], timeout=1200, **environment)
    assert done.returncode == 0, done.stdout + done.stderr


def test_datasets(fiji: Path, tmp_path: Path) -> None:
    run("check_datasets.py", fiji, tmp_path)


def test_commands(fiji: Path, tmp_path: Path, display: str, engine_home: Path) -> None:
    run("check_commands.py", fiji, tmp_path, DISPLAY=display)


def test_trackmate(fiji: Path, tmp_path: Path, display: str, engine_home: Path) -> None:
    if not list((fiji / "jars").glob("TrackMate-*.jar")):
        pytest.skip("this Fiji has no TrackMate")
    run("check_trackmate.py", fiji, tmp_path, DISPLAY=display)
