"""Writing files so that nothing half-written ever stays."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

from cellspan.core.errors import CellspanError


def make_folder(path: Path) -> None:
    """Create a folder with its parents; raises CellspanError if that is not possible or it cannot be written to."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CellspanError(f"{path}: the folder cannot be made ({error.strerror}).") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise CellspanError(f"{path}: the folder cannot be written to; choose another one.")


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """What goes wrong with writing in here becomes a CellspanError that names this file."""
    try:
        yield
    except OSError as error:
        raise CellspanError(f"{path}: the file cannot be written ({error.strerror or error}).") from None


def hidden(path: Path, owner: str, suffix: str) -> Path:
    """A name beside `path` for what is not finished; `owner`, without dots, tells whose it is if it is left behind.

    It is short whatever the name of `path`, which may be as long as the file system allows.
    """
    return path.with_name(f".cellspan.{owner}.{uuid4().hex[:8]}{suffix}")


def hidden_of(folder: Path, owner: str) -> Iterator[Path]:
    """All that `owner` left behind in a folder and below it."""
    for below, _, names in os.walk(folder):
        yield from (Path(below, name) for name in names if name.startswith(f".cellspan.{owner}."))


def place(part: Path, path: Path) -> None:
    """Give a finished file its final name in one step; FileExistsError if a file has that name already."""
    try:
        os.link(part, path)  # unlike a rename, it never replaces what another process has just put there
    except FileExistsError:
        if not _is_same_file(part, path):  # NFS reports a link that it made, if the first answer got lost
            raise
    except FileNotFoundError:  # there is no such part: the name must not be claimed for it, not even for a moment
        raise
    except OSError:
        _place_without_links(part, path)
        return
    part.unlink()


def _is_same_file(first: Path, second: Path) -> bool:
    try:
        return os.path.samefile(first, second)
    except FileNotFoundError:  # another process has just renamed one
        return False


def _place_without_links(part: Path, path: Path) -> None:
    """The same for file systems without hard links, such as those of USB sticks: claim the name, then fill it."""
    path.open("x").close()
    try:
        os.replace(part, path)
    except OSError:
        path.unlink()
        raise


def write_atomically(path: Path, write: Callable[[Path], Any]) -> Path:
    """Let `write` fill a temporary file beside `path`, then rename it; raises CellspanError that names the file."""
    # The suffix stays at the end, because writers choose the format by it.
    temporary = hidden(path, uuid4().hex[:12], f".part{path.suffix}")
    try:
        with naming(path):
            write(temporary)
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return path


def as_json(content: Any, indent: int | None = None) -> bytes:
    """JSON in UTF-8. File names that are not UTF-8 keep their bytes: as escapes, which readers of JSON turn back."""
    return json.dumps(content, indent=indent, ensure_ascii=False).encode("utf-8", "backslashreplace")


def write_json(path: Path, content: Any) -> Path:
    """Write indented JSON."""
    data = as_json(content, indent=1) + b"\n"
    return write_atomically(path, lambda part: part.write_bytes(data))
