"""`cellspan fiji-worker`: one answer for each line, whatever goes wrong; it outlives its engine, and ends when told."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_plus

import numpy as np
import psutil
import pytest
import tifffile

from cellspan.core.training.simulate import simulate_nuclei

pytestmark = pytest.mark.end_to_end

COMMAND = [sys.executable, "-m", "cellspan.core.cli", "--for-programs", "fiji-worker"]


class Worker:
    """A running worker as ImageJ's commands have it: both of its streams are one."""

    def __init__(self) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.process = subprocess.Popen(COMMAND, text=True, encoding="utf-8", bufsize=1, **pipes)

    def send(self, *words: object) -> None:
        self.process.stdin.write(" ".join(quote_plus(str(word)) for word in words) + "\n")

    def until(self, *starts: str) -> list[str]:
        """Its lines up to the one that starts so."""
        lines = []
        while not lines or not lines[-1].startswith(starts):
            lines.append(self.process.stdout.readline())
            assert lines[-1], lines
        return lines

    def answer(self, *words: object) -> list[str]:
        self.send(*words)
        return self.until("OK ", '{"code": ')


def outlines(archive: Path) -> dict[str, bytes]:
    """The files of an archive, without their dates."""
    with zipfile.ZipFile(archive) as files:
        return {name: files.read(name) for name in files.namelist()}


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setenv("CELLSPAN_RUNTIME_DIR", str(tmp_path / "runtime"))
    started = Worker()
    yield started
    started.process.kill()
    started.process.stdin.close()
    started.process.stdout.close()
    started.process.wait()
    subprocess.run([*COMMAND[:-2], "service", "stop"], check=True, capture_output=True)


def test_one_image_after_another(running: Worker, tmp_path: Path, cellspan) -> None:
    """As `fiji-segment` finds them; errors in between, a stack, and an engine that is killed."""
    image, stack = tmp_path / "größe 1+%.tif", tmp_path / "stack.tif"
    planes = np.stack([simulate_nuclei((96, 112), diameter=26, seed=seed).image for seed in range(2)])
    tifffile.imwrite(image, planes[0], imagej=True)
    tifffile.imwrite(stack, planes, imagej=True, metadata={"axes": "ZYX"})
    rois, settings = tmp_path / "r.zip", ["--model", "nuclei", "--diameter", 26]
    assert cellspan("fiji-segment", "--input", image, "--rois", rois, *settings).stdout.startswith("OK ")
    expected = outlines(rois)

    lines = running.answer("fiji-segment", "--input", image, "--rois", rois, *settings)
    assert any(line.startswith("PROGRESS ") for line in lines)
    assert lines[-1].endswith(f" {rois}\n")
    assert outlines(rois) == expected

    for mistake, code in ((["--at=3"], "usage"), (["--diametre=3"], "refused")):
        first, second = running.answer("fiji-segment", "--input", image, "--rois", rois, *mistake)[-2:]
        problem = json.loads(second)
        assert problem["code"] == code
        assert first == f"ERROR {problem['sentence']}\n"

    cells = ["--channel", 0, "--nuclei-channel", 1, "--diameter", 26]
    tifffile.imwrite(tmp_path / "both.tif", planes, imagej=True, metadata={"axes": "CYX"})
    paired = running.answer("fiji-cells", "--input", tmp_path / "both.tif", "--rois", tmp_path / "c.zip", *cells)
    assert any(line.startswith("PROGRESS ") for line in paired)
    assert paired[-1].startswith("OK ")

    in_planes = running.answer("fiji-segment", "--input", stack, "--rois", tmp_path / "s.zip", *settings)[-1]
    assert int(in_planes.split()[1]) > int(lines[-1].split()[1])

    service = json.loads((tmp_path / "runtime" / "service.json").read_text())
    psutil.Process(service["pid"]).kill()
    rois.unlink()
    lines = running.answer("fiji-segment", "--input", image, "--rois", rois, *settings)
    assert any("starting the cellspan engine" in line for line in lines)
    assert outlines(rois) == expected


def test_a_preview_and_what_follows_it_run_the_network_once(running: Worker, tmp_path: Path) -> None:
    """Other thresholds, a selection, OK: the outlines are those of a run of its own."""
    image, inside = tmp_path / "i.tif", tmp_path / "inside.tif"
    tifffile.imwrite(image, np.tile(simulate_nuclei((300, 300), diameter=26, seed=3).image, (3, 3)), imagej=True)
    tifffile.imwrite(inside, np.tri(900, dtype=np.uint8))

    def answer(*options: object) -> tuple[bool, dict[str, bytes]]:
        settings = ["--rois", tmp_path / "r.zip", "--labels", tmp_path / "l.tif", "--model", "nuclei", *options]
        lines = running.answer("fiji-segment", "--input", image, *settings)
        assert lines[-1].startswith("OK "), lines
        return any("running the network" in line for line in lines), outlines(tmp_path / "r.zip")

    wanted = [
        ["--diameter", 26],
        ["--diameter", 26, "--cellprob-threshold", 2, "--min-size", 300],
        ["--diameter", 26, "--inside", inside],
    ]
    expected = [answer(*options) for options in wanted]
    assert all(network for network, _ in expected)
    assert len({frozenset(found.items()) for _, found in expected}) == 3
    tried = [answer("--preview", *options) for options in wanted]
    assert [network for network, _ in tried] == [True, False, True], "the selection goes as a hyperstack"
    assert [found for _, found in tried] == [found for _, found in expected]
    assert answer(*wanted[2]) == (False, expected[2][1])
    assert answer("--diameter", 20)[0]


def test_closing_standard_input_cancels_the_image_and_ends_it(running: Worker, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "large.tif", np.random.default_rng(0).integers(0, 255, (3000, 3000), np.uint8))
    running.send(
        "fiji-segment",
        "--input",
        tmp_path / "large.tif",
        "--rois",
        tmp_path / "r.zip",
        "--model",
        "nuclei",
        "--diameter",
        20,
    )
    while "running the network" not in running.until("PROGRESS ")[-1]:
        pass
    running.process.stdin.close()
    assert '"code": "cancelled"' in running.process.stdout.read().splitlines()[-1]
    assert running.process.wait(10) == 0
    assert not (tmp_path / "r.zip").exists()


def test_without_work_it_ends() -> None:
    hurried = "from cellspan.fiji_bridge import worker; worker.IDLE_SECONDS = 0.1; worker.fiji_worker()"
    with subprocess.Popen([sys.executable, "-c", hurried], stdin=subprocess.PIPE) as process:
        assert process.wait(60) == 0
