"""`cellspan batch`: a CellProfiler pipeline over many images, in parallel, resumable."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType

import click

INTERRUPTED = 130  # the shell's exit code after Ctrl-C


@click.command()
@click.argument("pipeline", type=click.Path(path_type=Path))
@click.option(
    "--images", required=True, type=click.Path(path_type=Path), help="Folder with the images, including subfolders."
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the results.")
@click.option(
    "--workers", type=click.IntRange(min=1), help="CellProfiler processes at a time.  [default: from CPU, memory]"
)
@click.option(
    "--sets-per-task", type=click.IntRange(min=1), help="Image sets per CellProfiler process.  [default: up to 50]"
)
@click.option(
    "--keep-going",
    is_flag=True,
    help="Run all image sets, even if the first all fail or a setting of a module is wrong.",
)
@click.option("--restart", is_flag=True, help="Discard the earlier run in this output folder and start again.")
@click.option(
    "--cellprofiler",
    type=click.Path(path_type=Path),
    help="The CellProfiler program, or the Python in which it is installed.  [default: found automatically]",
)
@click.option(
    "--plugins", type=click.Path(path_type=Path), help="CellProfiler's plugins folder.  [default: cellspan plugin only]"
)
@click.option("--scheduler", metavar="ADDRESS", help="Run on this Dask cluster, for example tcp://head:8786.")
@click.option("--jobs", type=click.Choice(["slurm", "pbs", "lsf"]), help="Submit --workers jobs to this queue system.")
@click.option("--queue", help="Queue or partition for the jobs.")
@click.option(
    "--job-option", multiple=True, metavar="TEXT", help="Extra line for the job script, such as --account=lab."
)
@click.option("--job-cores", type=click.IntRange(min=1), default=1, show_default=True, help="CPU cores per job.")
@click.option("--job-memory", default="4GB", show_default=True, help="Memory per job.")
@click.option("--job-time", default="24:00:00", show_default=True, help="Time limit per job.")
def batch(
    pipeline: Path,
    images: Path,
    output: Path,
    workers: int | None,
    sets_per_task: int | None,
    keep_going: bool,
    restart: bool,
    cellprofiler: Path | None,
    plugins: Path | None,
    scheduler: str | None,
    jobs: str | None,
    queue: str | None,
    job_option: tuple[str, ...],
    job_cores: int,
    job_memory: str,
    job_time: str,
) -> None:
    """Run a CellProfiler pipeline over all image sets of a folder.

    Several CellProfiler processes work at the same time and share one warm engine for IdentifyObjectsByFlow. An image
    set that fails twice is skipped and named; the others are completed. If the first ones all fail in the same way, the
    run stops, unless you add --keep-going. Ctrl-C stops the run, and the same command resumes it. Tables and databases
    of all parts are merged; batch.json records the state of every image set.

    \b
    Examples:
      cellspan batch nuclei.cppipe --images plate1/ --output results
      cellspan batch nuclei.cppipe --images plate1/ --output results --workers 8
      cellspan batch nuclei.cppipe --images plate1/ --output results --jobs slurm --queue short --workers 40

    Exit code 0: done; 1: image sets failed and are named; 2: wrong usage; 130: stopped by Ctrl-C.
    """
    from cellspan.core.errors import CellspanError
    from cellspan.cp_module.batch.cluster import Jobs, option_words
    from cellspan.cp_module.batch.run import PipelineFault
    from cellspan.cp_module.batch.session import Options, run_batch

    if scheduler and jobs:
        raise click.UsageError("Give --scheduler or --jobs, not both.")
    if not jobs and (queue or job_option):
        raise click.UsageError("--queue and --job-option need --jobs.")
    workers_of_jobs = workers or 1
    options = Options(
        pipeline=pipeline.expanduser().absolute(),
        images=images.expanduser().resolve(),
        output=output.expanduser().resolve(),
        workers=workers,
        sets_per_task=sets_per_task,
        restart=restart,
        keep_going=keep_going,
        cellprofiler=cellprofiler.expanduser().absolute() if cellprofiler else None,
        plugins=plugins.expanduser().resolve() if plugins else None,
        scheduler=scheduler,
        jobs=Jobs(jobs, workers_of_jobs, queue, option_words(job_option), job_cores, job_memory, job_time)
        if jobs
        else None,
    )
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    try:
        state = run_batch(options)
    except KeyboardInterrupt:
        click.echo("Stopped. Run the same command again to resume.", err=True)
        sys.exit(INTERRUPTED)
    except PipelineFault as error:
        click.echo(f"cellspan: {error}", err=True)
        sys.exit(1)
    except CellspanError as error:
        click.echo(f"cellspan: {error}", err=True)
        sys.exit(2)
    click.echo(f"{state.sets_done} of {state.plan.count} image sets done; results in {state.output}")
    if state.failed:
        for number, failure in sorted(state.failed.items()):
            log = f" (log: {failure.log})" if failure.log else ""
            click.echo(f"FAILED {state.plan.named(number)}: {failure.reason}{log}", err=True)
        click.echo("Run the same command again to retry them.", err=True)
        sys.exit(1)


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    """Treat SIGTERM, which queue systems send to end a job, like Ctrl-C."""
    raise KeyboardInterrupt
