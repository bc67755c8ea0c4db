"""A real Slurm of one node runs the ranges: `apt-get install slurm-wlm`, then CELLSPAN_SLURM=1; not a part of CI.

The daemons are the test's own, in a folder of their own, and run as root.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tifffile

from cellspan.cp_module.batch.state import FOLDER
from cellspan.cp_module.batch.task import RECORD, attempts_folder, ranges_folder

MEASURE = Path(__file__).parent / "pipelines" / "measure.cppipe"
WAIT_SECONDS = 120

pytestmark = [
    pytest.mark.end_to_end,
    pytest.mark.data,
    pytest.mark.skipif(os.environ.get("CELLSPAN_SLURM") != "1", reason="on demand: CELLSPAN_SLURM=1"),
]

CONFIGURATION = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=6000 State=UNKNOWN
PartitionName=short Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_for(what: Callable[[], object]) -> None:
    ends = time.monotonic() + WAIT_SECONDS
    while not what():
        assert time.monotonic() < ends, "it did not come to this"
        time.sleep(0.2)


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a Slurm that runs, with a partition called short."""
    folder = Path(tempfile.mkdtemp(prefix="slurm", dir="/tmp"))  # the path of a socket may not be long
    for name in ("state", "spool", "munge"):
        (folder / name).mkdir()
    key = folder / "munge" / "key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    host, user = socket.gethostname().partition(".")[0], "root"
    configuration = folder / "slurm.conf"
    configuration.write_text(
        CONFIGURATION.format(host=host, user=user, folder=folder, ports=free_ports(2), cpus=os.cpu_count())
    )
    monkeypatch.setenv("SLURM_CONF", str(configuration))
    munge = {"key-file": key, **{f"{name}-file": folder / "munge" / name for name in ("pid", "log", "seed")}}
    options = [f"--{name}={path}" for name, path in munge.items()]
    subprocess.run(["munged", "--force", f"--socket={folder}/munge/socket", *options], check=True)
    for daemon in (["slurmctld"], ["slurmd", "-N", host]):
        subprocess.run(daemon, check=True)
    wait_for(lambda: "idle" in subprocess.run(["sinfo", "-h"], capture_output=True, text=True).stdout)
    yield folder
    subprocess.run(["scancel", "--user", user], check=False)
    for record in (folder / "slurmd.pid", folder / "slurmctld.pid", folder / "munge" / "pid"):
        os.kill(int(record.read_text()), signal.SIGTERM)
    shutil.rmtree(folder, ignore_errors=True)


def jobs() -> list[str]:
    return subprocess.run(["squeue", "-h", "-o", "%i"], capture_output=True, text=True, check=True).stdout.split()


def test_a_job_that_is_cancelled_gets_a_successor(
    slurm: Path, shared_data: Path, cellprofiler_python: Path, tmp_path: Path
) -> None:
    """All image sets are done all the same, and no job is left in the queue."""
    images, output = tmp_path / "in", tmp_path / "out"
    images.mkdir()
    for source in sorted((shared_data / "cellprofiler_examples" / "human").glob("*.tif")):
        pixels = tifffile.imread(source)[:256, :256]
        tifffile.imwrite(images / f"plate1_site {source.stem[-1]}_d0.tif", pixels)
    command = [sys.executable, "-m", "cellspan.core.cli", "batch", MEASURE, "--images", images, "-o", output]
    command += ["--jobs", "slurm", "--queue", "short", "--workers", 1, "--job-memory", "2GB", "--sets-per-task", 1]
    with (tmp_path / "said").open("w") as said:
        run = subprocess.Popen(list(map(str, command)), stdout=said, stderr=said, cwd=tmp_path)
        folder = output / FOLDER
        wait_for(lambda: any(ranges_folder(folder).glob("*")) and any(attempts_folder(folder).glob(f"*/{RECORD}")))
        (first,) = jobs()
        subprocess.run(["scancel", first], check=True)
        run.wait(WAIT_SECONDS)
    text = (tmp_path / "said").read_text()
    assert run.returncode == 0, text
    assert "Traceback" not in text
    assert "3 of 3 image sets done" in text
    assert len(list((folder / "jobs").glob("*.out"))) == 2
    assert list(tmp_path.glob("*.out")) == []
    wait_for(lambda: not jobs())
