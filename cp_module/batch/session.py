"""One `cellspan batch`: check, plan or resume, run, merge."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import psutil
from filelock import FileLock, Timeout

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import make_folder
from cellspan.core.machine.memory import available_memory
from cellspan.core.machine.processors import usable_processors
from cellspan.cp_module.batch.cellprofiler import CellProfiler, find_cellprofiler
from cellspan.cp_module.batch.cluster import Jobs, jobs_executor, scheduler_executor
from cellspan.cp_module.batch.damaged import cut_short, damaged_sets
from cellspan.cp_module.batch.early import start_engine
from cellspan.cp_module.batch.merge import merge
from cellspan.cp_module.batch.notes import notes_of
from cellspan.cp_module.batch.pipeline import PipelineFile, read_pipeline
from cellspan.cp_module.batch.plan import find_files, make_plan, plugins_for, sha256_of
from cellspan.cp_module.batch.progress import BatchProgress
from cellspan.cp_module.batch.refusing import refuse_hopeless, refuse_missing_models
from cellspan.cp_module.batch.run import Run
from cellspan.cp_module.batch.split import Range, remaining, split, usual_size
from cellspan.cp_module.batch.state import (
    FOLDER,
    Plan,
    State,
    check_same_run,
    clear_attempts,
    finished_ranges,
    forget,
    read_plan,
    write_plan,
)
from cellspan.cp_module.batch.task import Task
from cellspan.cp_module.batch.warm import close_loaded

MEMORY_OF_PROCESS = 2 * 1024**3
SCHEDULER_WORKERS = 8  # a guess, to choose the size of ranges; the cluster decides how many run


@dataclass(frozen=True)
class Options:
    """The options of the command line, with absolute paths."""

    pipeline: Path
    images: Path
    output: Path
    workers: int | None = None
    sets_per_task: int | None = None
    restart: bool = False
    keep_going: bool = False
    cellprofiler: Path | None = None
    plugins: Path | None = None
    scheduler: str | None = None
    jobs: Jobs | None = None


def run_batch(options: Options) -> State:
    """Run everything that is not done yet.

    Raises CellspanError for wrong usage, PipelineFault if the first image sets all fail alike, and KeyboardInterrupt
    after Ctrl-C.
    """
    pipeline = read_pipeline(options.pipeline)
    refuse_hopeless(pipeline, options.pipeline, options.plugins)
    files = find_files(options.images, options.output)
    cellprofiler = find_cellprofiler(options.cellprofiler)
    plugins_for_check = options.plugins
    if plugins_for_check is not None:
        plugins_for(pipeline, plugins_for_check, options.output / FOLDER)
    if not options.scheduler and not options.jobs:  # other computers may have other models
        refuse_missing_models(pipeline, options.pipeline)
    _refuse_foreign_tables(options)
    make_folder(options.output / FOLDER)
    try:
        with FileLock(options.output / FOLDER / "lock", timeout=0):
            return _run_locked(options, pipeline, files, cellprofiler)
    except Timeout:
        raise CellspanError(
            f"{options.output}: another `cellspan batch` is writing to this folder; wait until it has finished."
        ) from None


def _run_locked(options: Options, pipeline: PipelineFile, files: list[str], cellprofiler: CellProfiler) -> State:
    state, template = _prepare(options, pipeline, files, cellprofiler)
    workers = _workers(options)
    todo = _without_damaged(state, remaining(state.plan.spans, state.done))
    ranges = split(todo, options.sets_per_task or usual_size(sum(unit.count for unit in todo), workers))
    if state.done:
        click.echo(f"{state.sets_done} of {state.plan.count} image sets are already done.", err=True)
    click.echo(_in_words(options, ranges, workers), err=True)
    state.report("running")
    try:
        with _executor(options, workers) as executor, BatchProgress(state.plan.count, state.sets_done) as progress:
            Run(state, template, executor, progress, options.keep_going).do(ranges)
        clear_attempts(state.folder)
        for note in [*merge(state), *notes_of(state)]:
            click.echo(f"Note: {note}", err=True)
    except BaseException as error:  # whatever happened, batch.json must not say that the run goes on
        clear_attempts(state.folder)
        if isinstance(error, KeyboardInterrupt):
            state.report_end("interrupted")
        else:
            state.report_end("failed", str(error))
        raise
    state.report("failed" if state.failed else "done")
    return state


def _in_words(options: Options, ranges: list[Range], workers: int) -> str:
    """What is about to be done: image sets, ranges and workers."""
    sets, parts = sum(span.count for span in ranges), len(ranges)
    where = "the Dask cluster" if options.scheduler else _number(max(1, min(workers, parts)), "worker")
    return f"To do: {_number(sets, 'image set')} in {_number(parts, 'range')}, with {where}."


def _number(count: int, name: str) -> str:
    return f"{count} {name}" + ("" if count == 1 else "s")


def _without_damaged(state: State, todo: list[Range]) -> list[Range]:
    """Skip image sets with truncated files, which CellProfiler would read as partly black."""
    waiting = {number for unit in todo for number in unit.numbers}
    if not state.plan.paths:  # applications without Python do not tell which set a file belongs to
        for fault in cut_short(f"{state.plan.images}/{name}" for name in state.plan.files).values():
            click.echo(f"Note: {fault}; CellProfiler reads them as black.", err=True)
    faults = damaged_sets({number: files for number, files in state.plan.paths.items() if number in waiting})
    for unit in todo:
        culprit = next((number for number in unit.numbers if number in faults), None)
        if culprit is not None:
            state.give_up(unit, faults[culprit], culprit)
            click.echo(f"{state.plan.named(culprit)}: left out: {faults[culprit]}", err=True)
    return [unit for unit in todo if unit.first not in state.failed]


def _prepare(
    options: Options, pipeline: PipelineFile, files: list[str], cellprofiler: CellProfiler
) -> tuple[State, Task]:
    """The state of the run in the folder, or of a new one, and a task as a template."""
    folder = options.output / FOLDER
    if options.restart:
        forget(options.output)
    plan = read_plan(options.output)
    plugins = plugins_for(pipeline, options.plugins, folder)
    notes: list[str] = []
    if plan is not None and not finished_ranges(folder) and plan.pipeline_sha256 != sha256_of(options.pipeline):
        plan = None  # of a pipeline that failed from its first image set on and has been corrected since
    if plan is None:
        forget(options.output)
        plugins = plugins_for(pipeline, options.plugins, folder)
        if not options.scheduler and not options.jobs:
            start_engine(pipeline, plugins)
        click.echo(f"Looking for image sets in {options.images} ({len(files)} files)", err=True)
        plan = make_plan(
            pipeline,
            options.pipeline,
            options.images,
            files,
            options.output,
            cellprofiler,
            plugins,
            options.keep_going,
        )
        write_plan(options.output, plan)
    else:
        notes += check_same_run(options.output, plan, sha256_of(options.pipeline), options.images, files)
        clear_attempts(folder)
    for note in [*plan.notes, *notes]:
        click.echo(f"Note: {note}", err=True)
    return State(options.output, plan, finished_ranges(folder)), _template(
        plan, folder, cellprofiler, plugins, options.images, pipeline
    )


def _template(
    plan: Plan, folder: Path, cellprofiler: CellProfiler, plugins: Path, images: Path, pipeline: PipelineFile
) -> Task:
    return Task(
        Range(1, plan.count),
        folder,
        cellprofiler,
        plugins,
        images,
        tuple(pipeline.image_tables),
    )


def _refuse_foreign_tables(options: Options) -> None:
    """Refuse a folder in which merging would replace other tables of the user."""
    if (options.output / FOLDER).exists() or options.restart or not options.output.is_dir():
        return
    tables = sorted(path.name for path in options.output.iterdir() if path.suffix.lower() in (".csv", ".db"))
    if tables:
        raise CellspanError(
            f"{options.output}: it contains other results ({tables[0]}); choose another output folder, "
            "or add --restart to replace them."
        )


@contextmanager
def _executor(options: Options, workers: int) -> Iterator[Executor]:
    if options.scheduler:
        with scheduler_executor(options.scheduler) as executor:
            yield executor
    elif options.jobs:
        with jobs_executor(options.jobs, options.output / FOLDER) as executor:
            yield executor
    else:
        try:
            with ThreadPoolExecutor(workers) as executor:
                yield executor
        finally:
            close_loaded()


def _workers(options: Options) -> int:
    if options.workers:
        return options.workers
    return SCHEDULER_WORKERS if options.scheduler else usual_workers()


def usual_workers() -> int:
    """The number of processes for which there are CPU cores and memory."""
    usable = usable_processors()
    cores = min(usable, psutil.cpu_count(logical=False) or usable)
    return max(1, min(cores, math.floor(available_memory() / MEMORY_OF_PROCESS)))
