"""Fiji's zip, unpacked into a Fiji: the first command offers to make the engine, makes it, and then does its work."""

from __future__ import annotations

import os
import stat
import zipfile
from importlib.metadata import version
from pathlib import Path

import imageio.v3 as imageio
import pytest
import tifffile

from cellspan.core.training.simulate import simulate_nuclei
from release.contents import fiji_files

from .conftest import ImageJ

pytestmark = pytest.mark.end_to_end

PROGRAMS = Path(__file__).parent / "programs"
PROGRAM = PROGRAMS / "check_first_use.groovy"
SLOW = "echo 'Downloading numpy (16.0MiB)'; exec sleep 600"
BROKEN = "echo 'error: Failed to fetch: `https://a.b/c`'; echo '  Caused by: no such host' >&2; exit 2"


@pytest.fixture
def dropped(imagej_jars: list[Path], display: str, tmp_path: Path, only_bundled_models: None, dist: Path) -> ImageJ:
    """ImageJ in a folder like a Fiji's, into which the zip was unpacked; it has a space and a letter beyond ASCII."""
    folder, temporary = tmp_path / "Programme für Zellen" / "Fiji.app", tmp_path / "temporary"
    for part in (folder / "plugins", folder / "luts", folder / "scripts", temporary):
        part.mkdir(parents=True)
    [archive] = dist.glob("*-fiji.zip")
    zipfile.ZipFile(archive).extractall(folder)
    return ImageJ(folder, temporary, imagej_jars, display)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "cells 1.tif"
    tifffile.imwrite(path, simulate_nuclei((200, 200), diameter=22, seed=1).image)
    return path


@pytest.fixture
def uv_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a program of this name onto the search path."""

    def put(script: str) -> None:
        program = tmp_path / "programs" / "uv"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    return put


def left(engines: Path) -> list[str]:
    return sorted(path.name for path in engines.glob("*")) if engines.exists() else []


def test_the_engine_is_made_and_used(dropped: ImageJ, engines: Path, image: Path) -> None:
    """For real: uv is downloaded from where it is published, and checked."""
    asked, found = dropped.groovy(PROGRAM, PROGRAMS, image, "install", display=True).splitlines()
    assert "To download: about " in asked
    assert str(engines) in asked
    assert int(found.split()[0]) > 10
    program = dropped.engine.read_text().splitlines()[0]
    assert "/engines %C3%A9 1/" in program
    assert [name.rpartition("-")[0] for name in left(engines) if name.startswith(version("cellspan"))] == [
        version("cellspan")
    ]
    # What the installer wrote is what was unpacked: nothing is to be mended afterwards.
    [wheel] = (dropped.folder / "plugins" / "cellspan").glob("*.whl")
    for name, content in fiji_files(wheel).items():
        assert (dropped.folder / name).read_bytes() == content
    again = dropped.groovy(PROGRAMS / "run_script.groovy", PROGRAMS, image, engines / "painted.tif", display=False)
    assert again.startswith("own true")


def test_nothing_happens_without_a_click(
    dropped: ImageJ, engines: Path, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its picture is the one in the documentation; CELLSPAN_SCREENSHOTS names a folder in which it is kept."""
    usual = Path("/home/you/.local/share/cellspan/engines")
    monkeypatch.setenv("CELLSPAN_ENGINES", str(usual))
    picture = Path(os.environ.get("CELLSPAN_SCREENSHOTS", tmp_path)) / "first_use.png"
    picture.parent.mkdir(exist_ok=True)
    assert dropped.groovy(PROGRAM, PROGRAMS, image, "refuse", picture, display=True).splitlines()[1:] == ["closed"]
    assert len(set(imageio.imread(picture).ravel())) > 10
    assert not usual.exists()


def test_the_status_says_that_there_is_no_engine(dropped: ImageJ, engines: Path, image: Path) -> None:
    assert dropped.groovy(PROGRAM, PROGRAMS, image, "status", display=True).splitlines()[1:] == ["closed"]
    assert left(engines) == []


def test_it_can_be_stopped_and_leaves_nothing(dropped: ImageJ, engines: Path, image: Path, uv_that) -> None:
    uv_that(SLOW)
    assert dropped.groovy(PROGRAM, PROGRAMS, image, "stop", display=True).splitlines()[1:] == ["closed"]
    assert left(engines) == ["last_installation.log"]


def test_what_goes_wrong_is_one_sentence(dropped: ImageJ, engines: Path, image: Path, uv_that) -> None:
    uv_that(BROKEN)
    _, said, closed = dropped.groovy(PROGRAM, PROGRAMS, image, "fail", display=True).splitlines()
    told = "The engine could not be installed, because nothing could be downloaded from a.b. Check the connection"
    assert said.replace("\\n", " ").startswith(told)
    assert closed == "closed"
    assert left(engines) == ["last_installation.log"]


def test_the_files_of_a_folder_are_enough(
    dropped: ImageJ, engines: Path, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where they are not, it is said which one is missing."""
    (dropped.folder / "plugins" / "cellspan" / "wheelhouse").mkdir()
    asked, said, _ = dropped.groovy(PROGRAM, PROGRAMS, image, "fail", display=True).splitlines()
    assert "To download: nothing" in asked
    assert "the file uv-" in said
    assert left(engines) == ["last_installation.log"]


def test_without_a_display_it_is_a_sentence(dropped: ImageJ, engines: Path, image: Path, tmp_path: Path) -> None:
    printed = dropped.groovy(PROGRAMS / "run_script.groovy", PROGRAMS, image, tmp_path / "painted.tif", display=False)
    assert printed.startswith("ERROR The cellspan engine is not on this computer yet: start a command")
    assert f'pip install "{dropped.folder}' in printed
    assert left(engines) == []


def test_an_engine_of_an_earlier_version_is_replaced(dropped: ImageJ, engines: Path, image: Path) -> None:
    old = engines / "0.0.1-12345678" / "bin" / "python"
    old.parent.mkdir(parents=True)
    old.touch(mode=0o755)
    dropped.engine.write_text(f"{old}\n-m\ncellspan.core.cli\n".replace("é", "%C3%A9"))
    assert dropped.groovy(PROGRAM, PROGRAMS, image, "refuse", display=True).splitlines()[1:] == ["closed"]
