"""Runs ranges on other computers: on a dask.distributed cluster, or one started by a queue with dask-jobqueue."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellspan.core.errors import CellspanError

if TYPE_CHECKING:
    from distributed import Client

SUBMIT = {"slurm": "sbatch", "pbs": "qsub", "lsf": "bsub"}
KINDS = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "lsf": "LSFCluster"}
TALKATIVE = ("asyncio", "tornado.application")  # they print tracebacks; the user gets one sentence
MISSING = 'this needs the extra "cluster"; run: pip install "cellspan[cluster]"'
CONNECT_SECONDS = 30


@dataclass(frozen=True)
class Jobs:
    """The jobs of a queue; each is a worker that runs one range after the other."""

    kind: str
    count: int
    queue: str | None = None
    options: tuple[str, ...] = ()
    cores: int = 1
    memory: str = "4GB"
    time: str = "24:00:00"

    def cluster(self, logs: Path | None = None) -> Any:
        """The dask-jobqueue cluster, which submits no jobs until it is scaled; its jobs log to `logs`."""
        try:
            import dask_jobqueue
        except ImportError:
            raise CellspanError(f"--jobs {self.kind}: {MISSING}.") from None
        # One range at a time per job, so that its cores are free for the engine and CellProfiler.
        settings: dict[str, Any] = {"cores": 1, "processes": 1, "job_cpu": self.cores, "memory": self.memory}
        settings |= {"walltime": self.time, "job_name": "cellspan", "log_directory": logs and str(logs)}
        if self.kind == "lsf":
            settings["ncpus"] = settings.pop("job_cpu")
            settings["walltime"] = self.time.rsplit(":", 1)[0] if self.time.count(":") == 2 else self.time
        if self.kind == "pbs":
            settings.pop("job_cpu")
            settings["resource_spec"] = f"select=1:ncpus={self.cores}:mem={self.memory}"
        cluster = getattr(dask_jobqueue, KINDS[self.kind])
        return cluster(queue=self.queue, job_extra_directives=list(self.options), **settings)


@contextmanager
def jobs_executor(jobs: Jobs, folder: Path) -> Iterator[Executor]:
    """An executor whose workers are jobs that end with it; their output is kept in `folder`."""
    client_type = _client_type(f"--jobs {jobs.kind}")
    program = SUBMIT[jobs.kind]
    if shutil.which(program) is None:
        raise CellspanError(
            f"--jobs {jobs.kind}: {program} was not found; run this command on a computer that can submit jobs."
        )
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    cluster = jobs.cluster(folder / "jobs")
    try:
        cluster.scale(jobs=jobs.count)
        cluster.sync(_submitted, cluster)
    except (OSError, ValueError, RuntimeError) as error:
        with contextlib.suppress(AssertionError):  # raised for jobs that never started
            cluster.close()
        reason = " ".join(str(error).split())
        raise CellspanError(f"--jobs {jobs.kind}: the jobs could not be submitted ({reason}).") from None
    cluster.adapt(minimum_jobs=jobs.count, maximum_jobs=jobs.count)  # replaces jobs that reach their time limit
    with cluster, client_type(cluster) as client:
        yield _executor(client)


async def _submitted(cluster: Any) -> None:
    """Raise the queue's error on submission; the cluster itself would only log it and wait."""
    await cluster
    for job in list(cluster.workers.values()):
        await job


@contextmanager
def scheduler_executor(address: str) -> Iterator[Executor]:
    """An executor on a running scheduler."""
    client_type = _client_type(f"--scheduler {address}")
    try:
        client = client_type(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise CellspanError(f"--scheduler {address}: no scheduler answers at this address ({error}).") from None
    with client:
        yield _executor(client)


def _client_type(option: str) -> type[Client]:
    try:
        from distributed import Client
    except ImportError:
        raise CellspanError(f"{option}: {MISSING}.") from None
    return Client


def _executor(client: Client) -> Executor:
    # dask treats calls with the same arguments as one task, but a range may be repeated.
    executor: Executor = client.get_executor(pure=False)
    return executor


def option_words(options: Sequence[str]) -> tuple[str, ...]:
    """The values of --job-option as lines of the job script."""
    return tuple(option.strip() for option in options if option.strip())
