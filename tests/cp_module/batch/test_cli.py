"""Wrong usage of `cellspan batch` is one sentence and exit code 2, before anything is started or written."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cellspan.cp_module.batch.cli import batch

pytestmark = pytest.mark.quick

MEASURE = Path(__file__).parent / "pipelines" / "measure.cppipe"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with a file that may be an image."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.tif").touch()
    return tmp_path / "in"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program of CellProfiler's name; these tests never come to start it."""
    path = tmp_path / "cellprofiler"
    path.write_text("#!/bin/sh\nexit 1\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def sigterm() -> Iterator[None]:
    """Put the handler back that the command replaces."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def call(*arguments: object) -> Result:
    return CliRunner().invoke(batch, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--scheduler", "tcp://a:1", "--jobs", "slurm"], "Give --scheduler or --jobs, not both"),
        (["--queue", "short"], "need --jobs"),
        (["--job-option", "--account=lab"], "need --jobs"),
        (["--workers", "0"], "--workers"),
        (["--cellprofiler", "/no/such/program"], "CellProfiler was not found here"),
    ],
)
def test_options_that_cannot_be(options: list[str], words: str, images: Path, tmp_path: Path) -> None:
    done = call(MEASURE, "--images", images, "-o", tmp_path / "out", *options)
    assert done.exit_code == 2
    assert words in done.output
    assert "Traceback" not in done.output


def test_without_cellprofiler_it_says_how_to_name_it(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CELLSPAN_CELLPROFILER_PYTHON", raising=False)
    monkeypatch.setenv("PATH", "")
    done = call(MEASURE, "--images", images, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "with --cellprofiler PATH" in done.output
    assert not (tmp_path / "out").exists()


def test_a_plugins_folder_that_is_not_there(images: Path, program: Path, tmp_path: Path) -> None:
    done = call(MEASURE, "--images", images, "-o", tmp_path / "out", "--cellprofiler", program, "--plugins", "/none")
    assert done.exit_code == 2
    assert "/none: there is no such plugins folder" in done.output


def test_a_cellprofiler_that_does_not_run_is_said_so(images: Path, program: Path, tmp_path: Path) -> None:
    done = call(MEASURE, "--images", images, "-o", tmp_path / "out", "--cellprofiler", program)
    assert done.exit_code == 2
    assert "CellProfiler could not prepare the run (exit code 1); its log is" in done.output


def test_tables_that_somebody_else_made_are_not_replaced(images: Path, program: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "Nuclei.csv").write_text("mine")
    done = call(MEASURE, "--images", images, "-o", tmp_path / "out", "--cellprofiler", program)
    assert done.exit_code == 2
    assert "it contains other results (Nuclei.csv)" in done.output
    assert (tmp_path / "out" / "Nuclei.csv").read_text() == "mine"
