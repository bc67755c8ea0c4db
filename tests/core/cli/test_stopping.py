"""`cellspan segment` that is stopped, killed or started twice: nothing is lost, and it goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tifffile

from cellspan.core.results.outputs import ENDINGS
from cellspan.core.training.simulate import simulate_nuclei

pytestmark = pytest.mark.end_to_end
OPTIONS = ("--model", "nuclei", "--diameter", "26", "--save", "labels,rois,table")
KINDS = ("labels", "rois", "table")
# A power cut between two renames of the second image, as often as this can be asked for.
KILLED_BETWEEN_TWO_FILES = """
import os, signal
from cellspan.core.files import together
from cellspan.core.cli import main
placed = []
def place(part, path, really=together._place):
    if len(placed) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    placed.append(path)
    really(part, path)
together._place = place
main()
"""


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(60):
        tifffile.imwrite(folder / f"{number:02}.tif", simulate_nuclei((96, 96), seed=5).image)
    return folder


def start(*arguments: object, program: tuple[str, ...] = ("-m", "cellspan.core.cli")) -> subprocess.Popen[str]:
    command = [sys.executable, *program, "segment", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def complete(out: Path) -> list[str]:
    """Images with all kinds of results; fails if one has some of them only."""
    have = {kind: {p.name.removesuffix(ENDINGS[kind]) for p in out.glob(f"*{ENDINGS[kind]}")} for kind in KINDS}
    assert have["labels"] == have["rois"] == have["table"]
    return sorted(have["labels"])


def records(out: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(out.glob("run*.json"))]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_goes_on(
    images: Path, tmp_path: Path, cellspan: Callable, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "out"
    run = start(images, "-o", out, *OPTIONS)
    assert run.stderr is not None
    assert any("[3/60]" in line for line in run.stderr)
    run.send_signal(number)
    _, said = run.communicate()
    assert run.returncode == code
    assert "Traceback" not in said
    [sentence] = [line for line in said.splitlines() if "--skip-existing" in line]
    assert sentence.startswith("Stopped")
    [record] = records(out)
    assert record["ended"] == "stopped"
    assert 3 <= len(record["inputs"]) == len(complete(out)) < 60
    assert not list(out.glob(".*"))
    done = cellspan("segment", images, "-o", out, *OPTIONS, "--resume")
    assert f"{len(record['inputs'])} more were there already" in done.stdout
    assert len(complete(out)) == 60


def test_a_killed_run_goes_on(images: Path, tmp_path: Path, cellspan: Callable) -> None:
    out = tmp_path / "out"
    run = start(images, "-o", out, *OPTIONS, program=("-c", KILLED_BETWEEN_TWO_FILES))
    run.communicate()
    assert run.returncode == -signal.SIGKILL
    assert len(list(out.glob("01_*"))) == 1, "the kill came between two files"
    assert list(out.glob(".cellspan.*.part.*"))
    cellspan("segment", images, "-o", out, *OPTIONS, "--skip-existing")
    assert len(complete(out)) == 60
    assert not list(out.glob(".*"))
    earlier, newest = records(out)
    assert earlier["ended"] == "killed"
    assert [Path(record["input"]).name for record in earlier["inputs"]] == ["00.tif"]
    assert ["skipped" in record for record in newest["inputs"]] == [True] + [False] * 59


def test_two_runs_into_one_folder(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "both"
    halves = [sorted(images.glob("0*.tif")), sorted(images.glob("1*.tif"))]
    runs = [start(*half, "-o", out, *OPTIONS) for half in halves]
    assert [(run.wait(), run.communicate()[1].count("FAILED")) for run in runs] == [(0, 0)] * 2
    assert len(complete(out)) == 20
    recorded = [record["input"] for run in records(out) for record in run["inputs"]]
    assert sorted(recorded) == sorted(str(path) for half in halves for path in half)
    assert not list(out.glob(".*"))


def test_two_runs_of_the_same_images(images: Path, tmp_path: Path) -> None:
    """Each image has the results of one run, and the other run says so."""
    out, half = tmp_path / "both", sorted(images.glob("0*.tif"))
    runs = [start(*half, "-o", out, *OPTIONS) for _ in range(2)]
    assert sum(run.communicate()[1].count("FAILED") for run in runs) == 10
    assert len(complete(out)) == 10
    written = [record["input"] for run in records(out) for record in run["inputs"] if "error" not in record]
    assert sorted(written) == [str(path) for path in half]


@pytest.mark.skipif(not Path("/dev/shm").is_dir() or os.geteuid() != 0, reason="mounts a small disk")
def test_a_full_disk(images: Path, tmp_path: Path, cellspan: Callable) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("may not mount a small disk")
    try:
        done = cellspan("segment", images, "-o", disk / "out", *OPTIONS, check=False)
        assert done.returncode == 1
        assert 0 < len(complete(disk / "out")) < 60
        assert done.stderr.count("No space left on device") + len(complete(disk / "out")) >= 60
        subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
        cellspan("segment", images, "-o", disk / "out", *OPTIONS, "--skip-existing")
        assert len(complete(disk / "out")) == 60
        assert not list((disk / "out").glob(".*"))
    finally:
        subprocess.run(["umount", disk], check=True)


def test_both_ways_at_once_are_refused(images: Path, tmp_path: Path, cellspan: Callable) -> None:
    done = cellspan("segment", images, "-o", tmp_path / "o", "--overwrite", "--skip-existing", check=False)
    assert done.returncode == 2
    assert "give only one of them" in done.stderr
