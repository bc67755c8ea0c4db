"""The record of a run: a line for each image while it goes on, joined to run.json at its end.

Several runs can go on in one folder: each writes lines of its own, run-<started>-<process>.jsonl, and holds a lock
beside them, by which the others see that it is alive. run.json is the record of the run that ended last; the one before
it becomes run-<started>.json, and so do the lines of a run that was killed. No record ever replaces another one.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
from types import TracebackType
from typing import IO, Any, Literal

import psutil
from filelock import FileLock, Timeout

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import as_json, hidden, hidden_of, naming, place

Record = dict[str, Any]
End = Literal["finished", "stopped", "killed"]

NEWEST = "run.json"
LINES = "run-*.jsonl"
EARLIER = "run-*.json"
HEAD = 4096  # bytes of a record in which it says when it started


def source_of(path: Path) -> Record:
    """What tells a file from another one of its name, for its record: its size and when it was last changed."""
    try:
        found = path.stat()
    except OSError:  # the error that names it comes when it is read
        return {}
    return {"bytes": found.st_size, "modified_ns": found.st_mtime_ns} if S_ISREG(found.st_mode) else {}


class RunRecord:
    """The record of the run that this process makes; use it in a `with` block, and call `finish` at the end."""

    def __init__(self, folder: Path, about: Record) -> None:
        """Begin the lines with what is true of all images; raises CellspanError if nothing can be written there."""
        self.folder = folder
        self.problem = ""  # why the record is not complete, as a sentence
        process = {"host": platform.node(), "pid": os.getpid(), "since": psutil.Process().create_time()}
        with naming(folder / NEWEST):
            self.owner, self._lock, self._file = _claim(folder, f"{_in_name(about['started'])}-{os.getpid()}")
        self._unsaved = bytearray(as_json({**about, "process": process}) + b"\n")
        self._save()
        if self.problem:
            self._file.close()
            self.lines.unlink()
            _release(self._lock, self._lock_file)
            raise CellspanError(self.problem)

    @property
    def lines(self) -> Path:
        """The file of the run's lines."""
        return self.folder / f"run-{self.owner}.jsonl"

    @property
    def _lock_file(self) -> Path:
        return lock_of(self.lines)

    def add(self, record: Record) -> None:
        """Append the line of an image; if the disk is full, it waits in memory for the next one."""
        self._unsaved += as_json(record) + b"\n"
        self._save()

    def _save(self) -> None:
        try:
            while self._unsaved:  # a full disk may take a part of a line: the rest follows as soon as it can
                del self._unsaved[: self._file.write(self._unsaved)]
            self.problem = ""
        except OSError as error:
            self.problem = f"{self.lines}: the record of this run cannot be written ({error.strerror or error})."

    def finish(self, end: End) -> None:
        """Join the lines to run.json; if that fails, `problem` says so, and the next run does it."""
        self._save()
        if self.problem:
            return
        self._file.close()
        try:
            with _joined(self.lines, end, self.owner) as part:
                if part is not None:
                    _publish(part, self.folder)
            self.lines.unlink()
        except OSError as error:
            reason = error.strerror or error
            self.problem = f"{self.lines}: these lines cannot be joined to run.json ({reason}); the next run does it."

    def __enter__(self) -> RunRecord:
        """Use it in a `with` block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the lines go; without `finish` before, they stay for the next run."""
        with contextlib.suppress(OSError):
            self._file.close()
        # Beside lines, a lock that nobody holds tells other computers too that their run is over.
        _release(self._lock, None if self.lines.exists() else self._lock_file)


def _claim(folder: Path, name: str) -> tuple[str, FileLock | None, IO[bytes]]:
    """A name for a run that no other has, the lock that says that it is alive, and its file of lines."""
    for owner in _numbered(name):
        lines = folder / f"run-{owner}.jsonl"
        # Before the lines, because lines without a holder of their lock belong to a run that was killed.
        lock, free = _try_lock(lock_of(lines))
        if free:
            try:
                return owner, lock, lines.open("xb", buffering=0)
            except FileExistsError:  # of a process with the same number on another computer
                _release(lock)
            except OSError:
                _release(lock, lock_of(lines))
                raise
    raise AssertionError("there is always another number")


def lock_of(lines: Path) -> Path:
    """The file that a run locks as long as it lives."""
    return lines.with_name(f".cellspan.{lines.stem.removeprefix('run-')}.lock")


def _try_lock(path: Path) -> tuple[FileLock | None, bool]:
    """The lock, and whether nobody else holds it; None where the file system knows no locks, as some NFS do."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None, False
    except (OSError, NotImplementedError):
        return None, True
    return lock, True


def _release(lock: FileLock | None, file: Path | None = None) -> None:
    if lock is not None:
        with contextlib.suppress(OSError):
            lock.release()
    if file is not None:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def keep_killed_runs(folder: Path) -> int:
    """Join the lines of runs that were killed, and remove what they left half-written; how many runs those were."""
    kept = 0
    for lines in sorted(folder.glob(LINES)):
        # A disk that fails here must not stop the new run; the lines stay for the one after it.
        with _holding_the_dead(lines) as dead, contextlib.suppress(OSError):
            if dead:
                owner = lines.stem.removeprefix("run-")
                _remove_left(folder, owner)
                with _joined(lines, "killed", owner) as part:
                    if part is not None:
                        _place_numbered(part, folder, f"run-{started_of(part)}")
                        kept += 1
                lines.unlink()
    return kept


@contextlib.contextmanager
def _holding_the_dead(lines: Path) -> Iterator[bool]:
    """Whether the run of these lines is dead; as long as this lasts, no other run takes care of it."""
    file = lock_of(lines)
    if not file.exists():  # there, locks were not possible
        yield lines.exists() and not _may_be_running(lines)
        return
    lock, free = _try_lock(file)
    if lock is None:
        yield free and not _may_be_running(lines)
        return
    try:
        yield lines.exists()  # another run may have joined them before the lock was ours
    finally:
        _release(lock, file)


def _may_be_running(lines: Path) -> bool:
    """By the process that the lines name; what runs on another computer cannot be known without locks."""
    try:
        process = _about(lines)["process"]
        if process["host"] != platform.node():
            return True
        return bool(psutil.Process(process["pid"]).create_time() == process["since"])
    except psutil.NoSuchProcess:
        return False
    except (OSError, KeyError, TypeError, psutil.Error):
        return True


def _remove_left(folder: Path, owner: str) -> None:
    for path in hidden_of(folder, owner):
        if path != lock_of(folder / f"run-{owner}.jsonl"):
            with contextlib.suppress(OSError):
                path.unlink()


def _about(lines: Path) -> Record:
    with lines.open("rb") as file:
        return _read_line(file.readline()) or {}


def _read_line(line: bytes) -> Record | None:
    """None for a line that was torn when its run was killed."""
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) and line.endswith(b"\n") else None


@contextlib.contextmanager
def _joined(lines: Path, end: End, owner: str) -> Iterator[Path | None]:
    """A file with the whole record, gone afterwards unless it was renamed; None if the lines say nothing."""
    part = hidden(lines, owner, ".part.json")
    try:
        yield part if _join(lines, end, part) else None
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _join(lines: Path, end: End, target: Path) -> bool:
    """Write the whole record, line by line because they may be many; False if the lines say nothing."""
    about, count = _about(lines), 0
    with lines.open("rb") as source, target.open("wb") as file:
        head = as_json({"started": "unknown", **about, "ended": end}, indent=1)
        file.write(head.removesuffix(b"\n}") + b',\n "inputs": [')
        for line in itertools.islice(source, 1 if about else 0, None):
            if _read_line(line) is not None:
                file.write((b",\n  " if count else b"\n  ") + line.strip())
                count += 1
        file.write(b"\n ]\n}\n" if count else b"]\n}\n")
    return bool(about or count)


def _publish(part: Path, folder: Path) -> None:
    """Make it run.json, and keep the one that is there. Needs no lock: the loser of a race takes another turn."""
    while True:
        try:
            place(part, folder / NEWEST)
        except FileExistsError:
            _keep_earlier(folder / NEWEST)
        else:
            return


def _keep_earlier(path: Path) -> None:
    """Rename a record after its start, without replacing another one."""
    for name in _numbered(f"run-{started_of(path)}"):
        target = path.with_name(f"{name}.json")
        try:
            target.open("x").close()  # the name is ours now
        except FileExistsError:
            continue
        try:
            os.replace(path, target)
        except FileNotFoundError:  # another run was faster
            target.unlink()
        except OSError:
            target.unlink()
            raise
        return


def _place_numbered(part: Path, folder: Path, name: str) -> None:
    for numbered in _numbered(name):
        try:
            place(part, folder / f"{numbered}.json")
        except FileExistsError:
            continue
        return


def _numbered(name: str) -> Iterator[str]:
    """The name itself, then with -2, -3, ..."""
    yield name
    yield from (f"{name}-{number}" for number in itertools.count(2))


def started_of(path: Path) -> str:
    """When the run of a record started, fit for a file name; read from its beginning, because records are large."""
    try:
        with path.open("rb") as file:
            found = re.search(rb'"started":\s*"([0-9T:+.Z-]+)"', file.read(HEAD))
    except OSError:
        found = None
    return _in_name(found[1].decode()) if found else "unreadable"


def _in_name(moment: str) -> str:
    return moment.replace(":", "-")
