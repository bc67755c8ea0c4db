"""Regular files and folders, as opposed to pipes, devices and sockets, which would block when opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from unicodedata import category

from cellspan.core.errors import CellspanError

UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # controls such as a new line, bytes that are no letters, ends of lines
Source = bytes | BinaryIO | Path  # of a file's content

# A pipe without a writer would be waited for, and a terminal would become the process's own.
_OPTIONS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


def is_regular(path: Path) -> bool:
    """Whether there is a file of this name; False, and never an error, for names that no file can have."""
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Whether there is a folder of this name; False, and never an error, for names that no folder can have."""
    return stat.S_ISDIR(_mode(path))


def exists(path: Path) -> bool:
    """Whether there is anything of this name; never an error."""
    return _mode(path) != 0


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except (OSError, ValueError):  # not there, or too long, or with a NUL in it
        return 0


def readable(name: str | Path) -> str:
    """A file's name as a text on one line that can be printed and sent on, also if its bytes are none."""
    return "".join(_escaped(letter) if category(letter) in UNPRINTABLE else letter for letter in str(name))


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape", "backslashreplace").decode("ascii")


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading; OSError as usual, and CellspanError if it is a folder or something that can block."""
    try:
        _require_regular(path, path.stat().st_mode)  # before it is opened, which moves tapes and the like
        file = open(path, "rb", opener=lambda name, options: os.open(name, options | _OPTIONS))  # noqa: SIM115
    except ValueError:
        raise CellspanError(f"{str(path)!r} is no name of a file.") from None
    try:
        _require_regular(path, os.fstat(file.fileno()).st_mode)
    except CellspanError:
        file.close()
        raise
    return file


def _require_regular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, a device or a socket"
        raise CellspanError(f"{path}: this is {kind}, not a file.")


@contextmanager
def opened(source: Source) -> Iterator[BinaryIO]:
    """The content of a file to read from its beginning: of bytes, of an open file (which stays open), of a path."""
    if isinstance(source, Path):
        with open_regular(source) as file:
            yield file
    elif isinstance(source, (bytes, bytearray, memoryview)):
        yield BytesIO(source)
    else:
        source.seek(0)
        yield source


def size_of(file: BinaryIO) -> int:
    """Bytes in an open file; the place in it stays."""
    place = file.tell()
    size = file.seek(0, os.SEEK_END) or file.tell()
    file.seek(place)
    return size
