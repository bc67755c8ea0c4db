"""Runs one range of image sets; a process pool and a cluster both call `run_range`."""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import write_atomically, write_json
from cellspan.cp_module.batch.cellprofiler import CellProfiler, end_recorded, exit_words
from cellspan.cp_module.batch.log import Log, read_log
from cellspan.cp_module.batch.split import Range
from cellspan.cp_module.batch.warm import run_cellprofiler

BATCH_DATA = "Batch_data.h5"
LOG = "cellprofiler.log"
OUTPUT = "output"  # CellProfiler's output folder in the folder of a range
DONE = "done.json"
RECORD = "process.json"
SQLITE_HEADER = b"SQLite format 3\x00"
CHECK_STOP_SECONDS = 1.0  # the file may lie on a network disk


@dataclass(frozen=True)
class Task:
    """Everything that a computer needs to run a range; all computers see the same folders."""

    span: Range
    folder: Path  # everything of the run except results
    cellprofiler: CellProfiler
    plugins: Path
    images: Path
    image_tables: tuple[str, ...]  # names of tables that must have a row for each image set
    attempt: int = 1


@dataclass(frozen=True)
class Outcome:
    """The outcome of a range: done, failed, or stopped by the user."""

    span: Range
    state: str
    reason: str = ""
    culprit: int | None = None  # the image set in which it failed
    seconds: float = 0.0
    log: str = field(default="", repr=False)  # path of the log of a failure
    kind: str = ""  # the module and the kind of error in which it failed, if it is known
    any_completed: bool = False  # whether an image set went through the whole pipeline before the failure


def ranges_folder(folder: Path) -> Path:
    """Folder of the finished ranges, each in a folder with its name; they are never repeated."""
    return folder / "ranges"


def attempts_folder(folder: Path) -> Path:
    """Folder of the running ranges."""
    return folder / "attempts"


def stop_file(folder: Path) -> Path:
    """While this file exists, no computer continues."""
    return folder / "stop"


def template_folder(folder: Path) -> Path:
    """Files that CellProfiler wrote while storing the image sets, such as empty databases."""
    return folder / "plan"


def run_range(task: Task) -> Outcome:
    """Run CellProfiler on a range in its own folder, which is renamed once everything in it is correct."""
    started = time.monotonic()
    if stop_file(task.folder).exists():
        return Outcome(task.span, "stopped")
    attempts = attempts_folder(task.folder)
    # The CellProfiler of a killed worker may still be running; what it did does not count.
    for left in attempts.glob(f"{task.span.name}.*"):
        end_recorded(left / RECORD)
        shutil.rmtree(left, ignore_errors=True)
    attempt = attempts / f"{task.span.name}.{uuid4().hex[:8]}"
    try:
        _prepare(task, attempt)
        stopped = _Stop(stop_file(task.folder), attempt)
        code = run_cellprofiler(
            task.cellprofiler,
            task.plugins,
            _arguments(task, attempt),
            attempt / LOG,
            stopped,
            attempt / RECORD,
        )
        if code is None:
            return Outcome(task.span, "stopped")
        log = read_log(attempt / LOG)
        fault = _fault(task, attempt, log, code)
        if fault:
            kept = _keep_log(task, attempt)
            culprit = log.culprit(task.span.numbers)
            return Outcome(task.span, "failed", fault, culprit, _since(started), kept, log.kind(), bool(log.completed))
        _finish(task, attempt, _since(started))
    except (OSError, sqlite3.Error, CellspanError) as error:
        return Outcome(task.span, "failed", f"the results could not be written ({error})", None, _since(started))
    finally:
        shutil.rmtree(attempt, ignore_errors=True)
    return Outcome(task.span, "done", seconds=_since(started))


class _Stop:
    """Checks, not too often, for the stop file and whether the next run has removed the attempt."""

    def __init__(self, path: Path, attempt: Path) -> None:
        self.path, self.attempt, self.asked = path, attempt, 0.0

    def __call__(self) -> bool:
        if time.monotonic() - self.asked < CHECK_STOP_SECONDS:
            return False
        self.asked = time.monotonic()
        return self.path.exists() or not self.attempt.is_dir()


def _since(started: float) -> float:
    return round(time.monotonic() - started, 2)


def _prepare(task: Task, attempt: Path) -> None:
    """Begin with the empty databases of the plan; other files of it each part makes for itself."""
    template = template_folder(task.folder)
    for path in template.rglob("*"):
        if path.is_file() and path.name != BATCH_DATA and is_sqlite(path):
            copy = attempt / OUTPUT / path.relative_to(template)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    (attempt / OUTPUT).mkdir(parents=True, exist_ok=True)


def _arguments(task: Task, attempt: Path) -> list[str]:
    first, last = str(task.span.first), str(task.span.last)
    batch = str(template_folder(task.folder) / BATCH_DATA)
    folders = ["-i", str(task.images), "-o", str(attempt / OUTPUT), "--plugins-directory", str(task.plugins)]
    done = ["--done-file", str(attempt / "done.txt")]
    return ["-c", "-r", "-p", batch, "-f", first, "-l", last, *folders, *done]


def _fault(task: Task, attempt: Path, log: Log, code: int) -> str:
    """The fault of an attempt, or ''; CellProfiler's exit code is checked last, because it is not reliable."""
    with contextlib.suppress(OSError):
        if (attempt / "done.txt").read_text(encoding="utf-8").strip() == "Complete" and not log.was_cut:
            return _missing_rows(task, attempt / OUTPUT, log)
    reason = log.reason()
    if log.was_cut:
        return f"CellProfiler skipped modules ({reason or 'Failed to load pipeline'})"
    return reason or f"CellProfiler ended too early ({exit_words(code)})"


def _missing_rows(task: Task, output: Path, log: Log) -> str:
    unseen = [number for number in task.span.numbers if number not in {seen for seen, _ in log.steps}]
    if unseen:
        return f"CellProfiler did not process image set {unseen[0]}"
    for name in task.image_tables:
        rows = count_rows(output / name)
        if rows != task.span.count:
            return f"{name} has {rows} rows for {task.span.count} image sets"
    exported = len(log.seen_in("ExportToDatabase"))
    for path in output.rglob("*"):
        if path.is_file() and is_sqlite(path):
            stored = image_rows(path)
            if stored is not None and stored != exported:
                return f"the database {path.name} has {stored} rows for {exported} image sets"
    return ""


def count_rows(path: Path) -> int:
    """Rows of a table below its header; 0 without the file."""
    if not path.is_file():
        return 0
    return max(0, sum(1 for _ in read_rows(path)) - 1)


def read_rows(path: Path, delimiter: str = ",") -> Iterator[list[str]]:
    """The rows of a CellProfiler table; a single cell may contain the whole pipeline."""
    csv.field_size_limit(2**31 - 1)
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        yield from csv.reader(file, delimiter=delimiter)


def write_rows(path: Path, rows: Iterable[Sequence[str]], delimiter: str = ",") -> None:
    """Write a table as CellProfiler would; the old one stays until the new one is complete."""

    def write(part: Path) -> None:
        with part.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)

    write_atomically(path, write)


def is_sqlite(path: Path) -> bool:
    """Whether a file is a SQLite database."""
    with path.open("rb") as file:
        return file.read(len(SQLITE_HEADER)) == SQLITE_HEADER


def image_rows(path: Path) -> int | None:
    """Rows of the table with one row per image set; None if there is none."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = [name for name in names if name.endswith("Per_Image")]
        return database.execute(f'SELECT COUNT(*) FROM "{tables[0]}"').fetchone()[0] if tables else None


def _keep_log(task: Task, attempt: Path) -> str:
    kept = task.folder / "logs" / f"{task.span.name}-attempt{task.attempt}.log"
    kept.parent.mkdir(exist_ok=True)
    shutil.copyfile(attempt / LOG, kept)
    return str(kept)


def _finish(task: Task, attempt: Path, seconds: float) -> None:
    """Rename a finished range to its final name, after its files have reached the disk."""
    output = attempt / OUTPUT
    files = [path for path in sorted(output.rglob("*")) if path.is_file()]
    tables = {path.relative_to(output).as_posix(): path.stat().st_size for path in files if is_table(path)}
    others = [path.relative_to(output).as_posix() for path in files if not is_table(path)]
    (attempt / RECORD).unlink(missing_ok=True)
    write_json(
        attempt / DONE,
        {
            "first": task.span.first,
            "last": task.span.last,
            "seconds": seconds,
            "attempt": task.attempt,
            "tables": tables,
            "files": others,
        },
    )
    for path in [*files, attempt / DONE]:
        _to_disk(path)
    target = ranges_folder(task.folder) / task.span.name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    os.replace(attempt, target)


def is_table(path: Path) -> bool:
    """Whether a file is merged, instead of moved to the results."""
    return path.suffix.lower() in (".csv", ".txt", ".gct", ".properties", ".workspace") or is_sqlite(path)


def _to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
