"""Other computers do the ranges: any dask.distributed cluster, or one that a queue starts through dask-jobqueue."""

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
TALKATIVE = ("asyncio", "tornado.application")  # they print the traces of what is told in one sentence
MISSING = 'this needs the extra "cluster"; run: pip install "cellspan[cluster]"'
CONNECT_SECONDS = 30


@dataclass(frozen=True)
class Jobs:
    """The jobs of a queue, each a worker that does one range after the other."""

    kind: str
    count: int
    queue: str | None = None
    options: tuple[str, ...] = ()
    cores: int = 1
    memory: str = "4GB"
    time: str = "24:00:00"

    def cluster(self, logs: Path | None = None) -> Any:
        """The cluster of dask-jobqueue, which submits nothing before it is scaled; its jobs write into `logs`."""
        try:
            import dask_jobqueue
        except ImportError:
            raise CellspanError(f"--jobs {self.kind}: {MISSING}.") from None
        # One range at a time in a job, so that its cores are the engine's and CellProfiler's.
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
    """An executor whose workers are jobs; they end with it. What they say is kept in `folder`."""
    client_type = _client_type(f"--jobs {jobs.kind}")
    program = SUBMIT[jobs.kind]
    if shutil.which(program) is None:
        raise CellspanError(f"--jobs {jobs.kind}: there is no {program} here; run this where jobs are submitted.")
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    cluster = jobs.cluster(folder / "jobs")
    try:
        cluster.scale(jobs=jobs.count)
        cluster.sync(_submitted, cluster)
    except (OSError, ValueError, RuntimeError) as error:
        with contextlib.suppress(AssertionError):  # it does not expect jobs that never began
            cluster.close()
        reason = " ".join(str(error).split())
        raise CellspanError(f"--jobs {jobs.kind}: the jobs could not be submitted ({reason}).") from None
    cluster.adapt(minimum_jobs=jobs.count, maximum_jobs=jobs.count)  # a job whose time is over gets a successor
    with cluster, client_type(cluster) as client:
        yield _executor(client)


async def _submitted(cluster: Any) -> None:
    """Raises what the queue said to a submission; the cluster by itself would only write it into its log and wait."""
    await cluster
    for job in list(cluster.workers.values()):
        await job


@contextmanager
def scheduler_executor(address: str) -> Iterator[Executor]:
    """An executor on the workers of a running scheduler."""
    client_type = _client_type(f"--scheduler {address}")
    try:
        client = client_type(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise CellspanError(f"--scheduler {address}: no scheduler answers there ({error}).") from None
    with client:
        yield _executor(client)


def _client_type(option: str) -> type[Client]:
    try:
        from distributed import Client
    except ImportError:
        raise CellspanError(f"{option}: {MISSING}.") from None
    return Client


def _executor(client: Client) -> Executor:
    # dask takes a task with the same arguments for the same one, but a range may be done again.
    executor: Executor = client.get_executor(pure=False)
    return executor


def option_words(options: Sequence[str]) -> tuple[str, ...]:
    """What --job-option gave, as the lines of a job script hold it."""
    return tuple(option.strip() for option in options if option.strip())
