"""The commands and the bridge in a full Fiji, which CELLSPAN_FIJI names (the nox session `fiji`).

Nothing is changed in that folder: the tests work on a copy of it. A Fiji is not on Maven Central, so where there is
none, the same commands are tested in plain ImageJ and through GroovyShell (tests/macros).
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
import zipfile
from datetime import datetime, timezone
from pathlib import Path

import programs
import pytest
import tifffile

from cellspan.core.training.simulate import simulate_nuclei
from release.contents import fiji_files
from release.update_site import write_update_site

HERE = Path(__file__).parent
FIJI = os.environ.get("CELLSPAN_FIJI", "")

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.skipif(not FIJI, reason="CELLSPAN_FIJI does not point at the folder of a Fiji"),
]


@pytest.fixture(scope="module")
def fiji(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the Fiji, with the commands installed."""
    copy = copied(tmp_path_factory.mktemp("fiji"))
    subprocess.run([sys.executable, "-m", "cellspan.core.cli", "install", "fiji", "--to", str(copy)], check=True)
    return copy


def copied(folder: Path) -> Path:
    """A Fiji of one's own in this folder."""
    return Path(shutil.copytree(FIJI, folder / "Fiji.app", symlinks=True, copy_function=_link_or_copy))


def _link_or_copy(source: str, target: str) -> None:
    """A second name for a file where the file system allows it, because a Fiji has a gigabyte."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def run(program: str, *arguments: object, **environment: str) -> str:
    done = programs.run([sys.executable, HERE / "in_fiji" / program, *arguments], timeout=1200, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_datasets(fiji: Path, tmp_path: Path) -> None:
    run("check_datasets.py", fiji, tmp_path)


def test_commands(fiji: Path, tmp_path: Path, display: str, engine_home: Path) -> None:
    run("check_commands.py", fiji, tmp_path, DISPLAY=display)


def test_the_first_use_of_the_zip(dist: Path, engines: Path, tmp_path: Path, display: str) -> None:
    """Unpacked into a Fiji that never had cellspan, it asks, makes its engine, and segments."""
    fiji = copied(tmp_path)
    [archive] = dist.glob("*-fiji.zip")
    zipfile.ZipFile(archive).extractall(fiji)
    image = tmp_path / "cells.tif"
    tifffile.imwrite(image, simulate_nuclei((200, 200), diameter=22, seed=1).image)
    printed = run("check_first_use.py", fiji, tmp_path, HERE.parent / "macros" / "programs", image, DISPLAY=display)
    assert int(re.findall(r"^(\d+) outlines$", printed, re.M)[0]) > 10


@pytest.fixture
def updater(tmp_path: Path):
    """The updater of this Fiji, for a folder of its own; what it printed."""
    jars = ":".join(map(str, sorted((Path(FIJI) / "jars").glob("*.jar"))))
    home = tmp_path / "updated"
    for part in ("plugins", "scripts", "jars"):
        (home / part).mkdir(parents=True)
    with gzip.open(home / "db.xml.gz", "wt", encoding="utf-8") as file:
        file.write("<pluginRecords></pluginRecords>")

    def update(*words: object) -> str:
        java = [programs.java(), f"-Dimagej.dir={home}", "-Djava.awt.headless=true", "-cp", jars]
        # It also asks ImageJ's own site, and goes on if that cannot be reached.
        done = programs.run([*java, "net.imagej.updater.CommandLine", *words])
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return home, update


def test_the_update_site(updater, dist: Path, tmp_path: Path) -> None:
    """It installs what the zip has, and a release after it replaces and removes what the first one brought."""
    home, update = updater
    site = tmp_path / "site"
    [wheel] = dist.glob("*.whl")
    files = fiji_files(wheel)
    write_update_site(files, site, datetime(2026, 1, 2, tzinfo=timezone.utc))
    update("add-update-site", "cellspan", f"file://{site}/")
    update("update")
    assert all((home / name).read_bytes() == content for name, content in files.items())
    assert "cellspan" not in update("list-not-uptodate")

    gone = f"plugins/cellspan/{wheel.name}"
    later = {name: content for name, content in files.items() if name != gone}
    changed = {**later, "plugins/cellspan/engine_wanted.txt": b"version=2", "plugins/cellspan/2.whl": b"2"}
    write_update_site(changed, site, datetime(2026, 2, 2, tzinfo=timezone.utc), site / "db.xml.gz")
    update("update")
    assert all((home / name).read_bytes() == content for name, content in changed.items())
    assert not (home / gone).exists()
    assert "cellspan" not in update("list-not-uptodate")


def test_trackmate(fiji: Path, tmp_path: Path, display: str, engine_home: Path) -> None:
    if not list((fiji / "jars").glob("TrackMate-*.jar")):
        pytest.skip("this Fiji has no TrackMate")
    run("check_trackmate.py", fiji, tmp_path, DISPLAY=display)
