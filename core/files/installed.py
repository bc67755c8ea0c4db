"""What cellspan puts into another program's folder: written, compared with what it should be, taken away again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path, PurePosixPath

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import make_folder, write_atomically, write_json

ANSWER_SECONDS = 120.0  # a first start of Python on a slow disk


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    good: bool | None  # None: it could not be looked at, and that is no fault
    text: str  # one sentence; of a fault, with what to do


@dataclass(frozen=True)
class Installation:
    """Our files below one folder of another program; foreign files are never touched."""

    folder: Path
    contents: Mapping[str, bytes]  # what belongs there, by its path below the folder, in the order of writing
    record: str  # the file that lists what was written
    again: str  # the command that repairs it
    local: frozenset[str] = field(default_factory=frozenset)  # files that differ from one computer to the next

    def write(self) -> list[Path]:
        """Write every file and delete those of an earlier cellspan that no longer belong to it; what was written.

        The list comes first, with all that may be there if the disk fails on the way: `remove` then finds everything.
        Raises CellspanError.
        """
        self._refuse_links()
        before = self._recorded()
        made = [name for name in _folders_of([*self.contents, self.record]) if not (self.folder / name).is_dir()]
        folders = {*before.folders, *made}
        self._write_record({*before.files, *self.contents}, folders)
        for name, content in self.contents.items():
            path = self.folder / name
            make_folder(path.parent)
            write_atomically(path, partial(_fill, content))
        self._delete(set(before.files) - set(self.contents))
        self._remove_empty(set(before.folders) - set(_folders_of([*self.contents, self.record])))
        self._write_record(self.contents, folders)
        return [self.folder / name for name in (*self.contents, self.record)]

    def remove(self) -> list[Path]:
        """Delete our files, what Python compiled from them and the folders that are then empty; what was deleted.

        Raises CellspanError.
        """
        self._refuse_links()
        before = self._recorded()
        deleted = self._delete({*before.files, *self.contents, self.record})
        self._remove_empty(before.folders)
        return deleted

    @property
    def is_there(self) -> bool:
        """Whether any of our files are."""
        return any((self.folder / name).is_file() for name in self.contents)

    def check(self) -> Iterator[Finding]:
        """Whether every file is there and as this cellspan writes it; changes nothing."""
        present = [name for name in self.contents if (self.folder / name).is_file()]
        if not present:
            yield Finding(False, f"{self.folder}: cellspan is not installed there; run {self.again}")
            return
        faults = [*self._wrong_files()]
        yield from (Finding(False, f"{fault}; run {self.again}") for fault in faults)
        if not faults:
            yield Finding(
                True, f"{self.folder}: {len(present)} files, all as cellspan {version('cellspan')} writes them"
            )

    def _wrong_files(self) -> Iterator[str]:
        for name, content in self.contents.items():
            path = self.folder / name
            if not path.is_file():
                yield f"{path}: the file is missing"
            elif name not in self.local and _content(path) != content:
                yield f"{path}: the file is not as cellspan {version('cellspan')} writes it now"
        if not (self.folder / self.record).is_file():
            yield f"{self.folder / self.record}: the list of the files is missing"
        for name in sorted(set(self._recorded().files) - set(self.contents)):
            if (self.folder / name).exists():
                yield f"{self.folder / name}: the file is of an earlier cellspan"

    def _recorded(self) -> _Record:
        """What was installed, by the list; without a readable list, what this cellspan would have installed."""
        try:
            read = json.loads((self.folder / self.record).read_text(encoding="utf-8"))
            return _Record([*filter(_is_below, read["files"])], [*filter(_is_below, read["folders"])])
        except (OSError, ValueError, KeyError, TypeError):
            ours = (name for name in _folders_of(self.contents) if PurePosixPath(name).name.startswith("cellspan"))
            return _Record([], [*ours])

    def _write_record(self, files: Iterable[str], folders: Iterable[str]) -> None:
        path = self.folder / self.record
        make_folder(path.parent)
        write_json(path, {"cellspan": version("cellspan"), "files": sorted(files), "folders": sorted(folders)})

    def _delete(self, names: Iterable[str]) -> list[Path]:
        deleted = []
        for path in sorted(self.folder / name for name in names):
            compiled = path.parent / "__pycache__"
            for file in (path, *compiled.glob(f"{path.stem}.*.pyc")):
                if file.is_file() or file.is_symlink():
                    _unlink(file)
                    deleted.append(file)
            with contextlib.suppress(OSError):  # of other plugins there is more in it
                compiled.rmdir()
        return deleted

    def _remove_empty(self, names: Iterable[str]) -> None:
        for name in sorted(names, key=len, reverse=True):  # the inner ones first
            with contextlib.suppress(OSError):
                (self.folder / name).rmdir()

    def _refuse_links(self) -> None:
        """What lies behind a link to another folder is not ours to write or to delete."""
        for name in _folders_of(self.contents):
            if (self.folder / name).is_symlink():
                raise CellspanError(f"{self.folder / name}: this is a link to another folder; remove the link first.")


def check_engine(file: Path, command: Sequence[str] | None, again: str) -> Iterator[Finding]:
    """Whether the engine that `file` names is there, answers and has this version."""
    if not command:
        yield Finding(False, f"{file}: the file does not say where the engine is; run {again}")
        return
    python, ours = command[0], version("cellspan")
    answer = _answer([*command, "--version"]) if shutil.which(python) else None
    if answer is None:
        yield Finding(False, f"{python}: the engine's Python is not there any more; run {again}")
    elif answer.returncode != 0:
        last = (answer.stderr.strip().splitlines() or ["it said nothing"])[-1]
        yield Finding(False, f"{python}: this Python cannot start the engine ({last}); run {again}")
    elif answer.stdout.split()[-1:] != [ours]:
        yield Finding(False, f"{python}: the engine there is {answer.stdout.strip()}, this is {ours}; run {again}")
    else:
        yield Finding(True, f"{python}: the engine answers, version {ours}")


def command_line(program: str, folder: Path) -> str:
    """What a user types to install into a folder, for messages."""
    place = f'"{folder}"' if " " in str(folder) else str(folder)
    return f"`cellspan install {program} --to {place}`"


def run_apart(command: Sequence[str], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run another Python that sees nothing of this one and leaves no compiled files behind.

    Raises OSError or subprocess.TimeoutExpired.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(
            list(command),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )


@dataclass(frozen=True)
class _Record:
    """What the list of an installation says."""

    files: Sequence[str]
    folders: Sequence[str]  # those that the installation made


def _folders_of(names: Iterable[str]) -> list[str]:
    """The folders that these files lie in, outer ones first, without the top."""
    folders = {parent.as_posix() for name in names for parent in PurePosixPath(name).parents}
    return sorted(folders - {"."})


def _is_below(name: object) -> bool:
    """Whether a name from a list stays below the folder."""
    if not isinstance(name, str) or not name or "\\" in name or ":" in name:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and path != PurePosixPath(".")


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _fill(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def _unlink(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise CellspanError(f"{path}: the file cannot be deleted ({error.strerror}).") from None


def _answer(command: Sequence[str]) -> subprocess.CompletedProcess[str] | None:
    try:
        return run_apart(command, ANSWER_SECONDS)
    except OSError:
        return None
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer within {ANSWER_SECONDS:.0f} s")
