"""Plans a run: CellProfiler stores the image sets, and errors of the pipeline show up."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from cellspan.core.errors import CellspanError
from cellspan.cp_module.batch.asking import ask_modules, ask_sets
from cellspan.cp_module.batch.cellprofiler import CellProfiler, environment, exit_words, run_process
from cellspan.cp_module.batch.dependence import Needs
from cellspan.cp_module.batch.log import Log, read_log
from cellspan.cp_module.batch.pipeline import OUR_MODULE, PipelineFile
from cellspan.cp_module.batch.refusing import refuse_faults
from cellspan.cp_module.batch.split import Range, units_of
from cellspan.cp_module.batch.state import FOLDER, Plan
from cellspan.cp_module.batch.task import BATCH_DATA, template_folder
from cellspan.cp_module.install import install

# CellProfiler decides about all other files, because it reads more formats than can be listed.
NOT_IMAGES = {".csv", ".txt", ".json", ".xml", ".db", ".ini", ".md", ".log", ".cppipe", ".cpproj", ".pdf", ".html"}
Group = tuple[dict[str, str], list[int]]  # metadata, image sets
NO_SETS = "CellProfiler finds no image sets in its own record of the run"
SHARED_MYSQL = "its Python lacks the package mysqlclient, which ExportToDatabase needs even for SQLite"


def find_files(images: Path, output: Path) -> list[str]:
    """Possible image files, relative to the folder, without those that the run itself writes."""
    if not images.is_dir():
        raise CellspanError(f"{images}: there is no such image folder.")
    inside = output.resolve()
    files = [
        path.relative_to(images).as_posix()
        for path in sorted(images.rglob("*"))
        if path.is_file()
        and path.suffix.lower() not in NOT_IMAGES
        and not any(part.startswith(".") for part in path.relative_to(images).parts)
        and (inside == images or inside not in path.resolve().parents)
    ]
    if not files:
        raise CellspanError(f"{images}: there are no images in this folder.")
    return files


def sha256_of(path: Path) -> str:
    """The hash that identifies a pipeline."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def plugins_for(pipeline: PipelineFile, given: Path | None, folder: Path) -> Path:
    """The given plugins folder, or a temporary one with our plugin."""
    if given is None:
        own = folder / "plugins"
        own.mkdir(parents=True, exist_ok=True)
        install(own)
        return own
    if not given.is_dir():
        raise CellspanError(f"{given}: there is no such plugins folder.")
    if pipeline.named(OUR_MODULE) and not (given / f"{OUR_MODULE.lower()}.py").is_file():
        raise CellspanError(
            f"{given}: the plugin {OUR_MODULE} is not installed there; run: cellspan install cellprofiler --to {given}"
        )
    return given


def make_plan(
    pipeline: PipelineFile,
    path: Path,
    images: Path,
    files: list[str],
    output: Path,
    cellprofiler: CellProfiler,
    plugins: Path,
    keep_going: bool = False,
) -> Plan:
    """Let CellProfiler store the image sets; raises CellspanError if it cannot, or would skip modules.

    Settings that CellProfiler finds wrong are an error too, except with `keep_going`.
    """
    folder = output / FOLDER
    with ThreadPoolExecutor(2) as pool:  # each starts CellProfiler's Python, which takes seconds
        told = pool.submit(ask_modules, cellprofiler, path, plugins, images, template_folder(folder))
        ended = threading.Event()
        stored = pool.submit(
            _create_batch_file, pipeline, path, images, files, folder, cellprofiler, plugins, ended.is_set
        )
        try:
            pipeline = replace(pipeline, told=told.result())
            if not keep_going:
                refuse_faults(pipeline, path)
            batch = stored.result()
        finally:
            ended.set()
    groups, paths = image_sets(cellprofiler, batch)
    units = units_in(pipeline, groups)
    keys = {number: key for key, group in groups for number in group} if pipeline.is_grouped else {}
    return Plan(
        pipeline=str(path),
        pipeline_sha256=sha256_of(path),
        images=str(images),
        files=files,
        grouped=pipeline.is_grouped,
        units=[(unit.first, unit.last) for unit in units],
        group_of=[_shared_key(unit, keys) for unit in units],
        paths=paths,
        places=_places(groups) if pipeline.is_grouped and paths else {},
        notes=[*pipeline.notes(), *notes_on_groups(pipeline, groups, units)],
    )


def units_in(pipeline: PipelineFile, groups: Sequence[Group]) -> list[Range]:
    """The image sets that must stay together, as the modules of the pipeline need it."""
    everything = sorted(number for _, group in groups for number in group)
    if pipeline.parts is Needs.RUN or (pipeline.parts is Needs.GROUP and not pipeline.is_grouped):
        return units_of([everything])
    return units_of([group for _, group in groups] if pipeline.is_grouped else [[number] for number in everything])


def _places(groups: Sequence[Group]) -> dict[int, tuple[int, int, int]]:
    """The number of the group of each image set, its index in the group, and the length of the group.

    Only for groups as they are numbered in a run (see `image_sets`).
    """
    return {
        image_set: (number, index, len(sets))
        for number, (_, sets) in enumerate(groups, start=1)
        for index, image_set in enumerate(sets, start=1)
    }


def notes_on_groups(pipeline: PipelineFile, groups: Sequence[Group], units: Sequence[Range]) -> list[str]:
    """A note if groups that lie between each other could not be put apart."""
    if pipeline.is_grouped and pipeline.parts is not Needs.RUN and len(units) < len(groups):
        reason = "give CellProfiler's Python with --cellprofiler PATH to run them apart"
        return [f"The image sets of some groups lie between each other, so one process does these groups; {reason}."]
    return []


def _shared_key(unit: Range, keys: dict[int, dict[str, str]]) -> dict[str, str]:
    found = [keys.get(number, {}) for number in unit.numbers]
    return found[0] if all(key == found[0] for key in found) else {}


def _create_batch_file(
    pipeline: PipelineFile,
    path: Path,
    images: Path,
    files: list[str],
    folder: Path,
    cellprofiler: CellProfiler,
    plugins: Path,
    stopped: Callable[[], bool],
) -> Path:
    template = template_folder(folder)
    template.mkdir(parents=True, exist_ok=True)
    copy, listing, log = folder / "pipeline.cppipe", folder / "files.txt", folder / "plan.log"
    copy.write_text(pipeline.for_batch(), encoding="utf-8")
    listing.write_text("".join(f"{images / name}\n" for name in files), encoding="utf-8")
    where = ["-i", str(images), "-o", str(template), "--plugins-directory", str(plugins)]
    # If modules are skipped, our last module is missing too and CellProfiler starts to work, but only on one set.
    limits = ["--file-list", str(listing), "-f", "1", "-l", "1"]
    command = [*cellprofiler.command, "-c", "-r", "-p", str(copy), *where, *limits]
    code = run_process(command, log, environment(), stopped)
    if code is None:
        raise CellspanError(f"{path}: the preparation of the run was stopped.")
    batch, text = template / BATCH_DATA, read_log(log)
    if text.was_cut or not batch.is_file():
        raise CellspanError(_why_no_plan(path, text, code, log))
    return batch


def _why_no_plan(path: Path, log: Log, code: int, file: Path) -> str:
    reason = log.reason()
    if log.was_cut and "is missing" in reason:
        return f"{path}: {reason} in this CellProfiler; give the folder of its plugin with --plugins DIR."
    if log.was_cut:
        return f"{path}: CellProfiler would skip modules ({reason or 'Failed to load pipeline'})."
    if "'MySQLdb' is not defined" in log.text or "'sqlite3' is not defined" in log.text:
        return f"{path}: this CellProfiler cannot run the pipeline, because {SHARED_MYSQL}."
    if "did not identify any image sets" in log.text or "no image sets" in log.text.lower():
        return f"{path}: the pipeline finds no image sets in the folder; check its rules in NamesAndTypes."
    return f"{path}: CellProfiler could not prepare the run ({reason or exit_words(code)}); its log is {file}."


def image_sets(cellprofiler: CellProfiler, batch: Path) -> tuple[list[Group], dict[int, dict[str, str]]]:
    """The groups and the files of the image sets, as they are numbered in a run.

    An application without its own Python tells no files, and leaves the groups of LoadData where the table has them.
    """
    told = ask_sets(cellprofiler, batch)
    if told is None:
        return _printed_groups(cellprofiler, batch), {}
    if not told["groups"]:
        raise CellspanError(f"{batch}: {NO_SETS}.")
    files = {int(number): {name: _as_path(url) for name, url in urls.items()} for number, urls in told["files"].items()}
    return [(dict(key), numbers) for key, numbers in told["groups"]], files


def _printed_groups(cellprofiler: CellProfiler, batch: Path) -> list[Group]:
    """Metadata and image sets of each group; without groups, each image set is a group."""
    command = [*cellprofiler.command, "-c", "-r", "--print-groups", str(batch)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment())
    # Afterwards it complains that there is no pipeline to run.
    for line in done.stdout.splitlines():
        start = line.find("[[")
        if start >= 0:
            groups, _ = json.JSONDecoder().raw_decode(line[start:])
            return [(dict(key), [int(number) for number in numbers]) for key, numbers in groups]
    raise CellspanError(f"{batch}: {NO_SETS}.")


def _as_path(url: str) -> str:
    return url2pathname(urlsplit(url).path) if url.startswith("file:") else unquote(url)
