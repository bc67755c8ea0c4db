"""Files that belong together appear together or not at all, also beside other runs that write the same ones."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import hidden, make_folder, naming, place

Write = Callable[[Path], Any]
State = tuple[int, int, int] | None  # what tells one file from its successor; None = there is no file


class WrittenMeanwhile(CellspanError):
    """Another run wrote the same results while these were being made."""


def state(path: Path) -> State:
    """Which file lies there now; raises OSError if its name is impossible."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def states(paths: Iterable[Path]) -> dict[Path, State]:
    """Which files lie there now; raises OSError if a name is impossible."""
    return {path: state(path) for path in paths}


def write_together(
    writers: Mapping[Path, Write], owner: str | None = None, before: Mapping[Path, State] | None = None
) -> None:
    """Let each writer fill a temporary file beside its path; when all are finished, all get their names.

    Files that are there are replaced. `before` says which those were when the work began: if others lie there by now,
    WrittenMeanwhile is raised and they stay. Whatever fails, none of the new files stays, and the old ones do; raises
    CellspanError that names the file. `owner` marks the temporary files (see `hidden`).
    """
    owner = owner or uuid4().hex[:12]
    # The suffix stays at the end, because writers choose the format by it.
    parts = {path: hidden(path, owner, f".part{path.suffix}") for path in writers}
    try:
        for path, write in writers.items():
            make_folder(path.parent)
            with naming(path):
                write(parts[path])
        _exchange(parts, owner, states(writers) if before is None else before)
    finally:
        _remove(parts.values())


def _exchange(parts: dict[Path, Path], owner: str, before: Mapping[Path, State]) -> None:
    """The finished files take the places of the old ones.

    First all old ones go aside, so that a crash leaves a set with gaps, which is noticed, and never a mixture. The
    order is the same in every run, so that of two runs one prevails.
    """
    aside: dict[Path, Path] = {}
    new: dict[Path, State] = {}
    try:
        for path in sorted(parts):
            with naming(path):
                if state(path) != before.get(path):
                    raise _written_meanwhile(path)
                if before.get(path) is not None:
                    if path.is_dir():
                        raise IsADirectoryError(errno.EISDIR, "there is a folder of this name")
                    aside[path] = hidden(path, owner, f".old{path.suffix}")
                    _put_aside(path, aside[path], before[path])
        for path in sorted(parts):
            with naming(path):
                new[path] = state(parts[path])
                _place(parts[path], path)
    except BaseException:
        _restore(aside, new)
        raise
    _remove(aside.values())


def _put_aside(path: Path, aside: Path, expected: State) -> None:
    """Rename an old file, if it is still that one: another run may do the same in this moment."""
    try:
        os.replace(path, aside)
    except FileNotFoundError:
        raise _written_meanwhile(path) from None
    if state(aside) != expected:
        raise _written_meanwhile(path)


def _place(part: Path, path: Path) -> None:
    try:
        place(part, path)
    except FileExistsError:
        raise _written_meanwhile(path) from None


def _restore(aside: dict[Path, Path], new: dict[Path, State]) -> None:
    for path, mine in new.items():
        with contextlib.suppress(OSError):
            if state(path) == mine:
                path.unlink()
    for path, old in aside.items():
        try:
            place(old, path)
        except FileExistsError:  # what another run has put there stays, as if it had come a moment later
            _remove([old])
        except OSError:  # the disk fails; the old file can still be found under its hidden name
            continue


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()


def _written_meanwhile(path: Path) -> WrittenMeanwhile:
    return WrittenMeanwhile(f"{path}: another run has written this result meanwhile; that one is kept.")
