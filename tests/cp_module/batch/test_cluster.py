"""Jobs of a queue get what the command line says; what is missing is said in one sentence."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from cellspan.core.errors import CellspanError
from cellspan.cp_module.batch.cluster import Jobs, jobs_executor, option_words, scheduler_executor

pytestmark = pytest.mark.quick


def test_options_are_lines_of_the_job_script() -> None:
    assert option_words([" --account=lab ", "", "--gres=gpu:1"]) == ("--account=lab", "--gres=gpu:1")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("slurm", ["#SBATCH -p short", "#SBATCH --cpus-per-task=4", "#SBATCH --mem=8G", "#SBATCH -t 02:00:00"]),
        ("pbs", ["#PBS -q short", "#PBS -l select=1:ncpus=4:mem=8GB", "#PBS -l walltime=02:00:00"]),
        ("lsf", ["#BSUB -q short", "#BSUB -n 4", "#BSUB -W 02:00"]),
    ],
)
def test_the_job_script(kind: str, expected: list[str], tmp_path: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    jobs = Jobs(kind, 2, "short", ("--account=lab",), 4, "8GB", "02:00:00")
    with jobs.cluster(tmp_path / "jobs") as cluster:
        script = cluster.job_script()
    assert str(tmp_path / "jobs") in script, "what the jobs say does not lie about in the user's folder"
    assert all(line in script for line in expected), script
    assert "--account=lab" in script
    assert "--nthreads 1" in script, "one range at a time in a job"


def test_a_queue_that_is_not_there_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setenv("PATH", "")
    with (
        pytest.raises(CellspanError, match=r"^--jobs slurm: sbatch was not found"),
        jobs_executor(Jobs("slurm", 1), Path("/none")),
    ):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="a script stands for the queue")
def test_a_queue_that_refuses_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask_jobqueue")
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho 'error: invalid partition: short' >&2\nexit 1\n")
    (tmp_path / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with (
        pytest.raises(CellspanError, match=r"error: invalid partition: short"),
        jobs_executor(Jobs("slurm", 2, "short"), tmp_path),
    ):
        pass


def test_a_scheduler_that_does_not_answer_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("cellspan.cp_module.batch.cluster.CONNECT_SECONDS", 0.5)
    address = "tcp://127.0.0.1:9"
    with pytest.raises(CellspanError, match=f"^--scheduler {address}: no scheduler"), scheduler_executor(address):
        pass
