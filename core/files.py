"""Files: finding the images a user means, and writing so that nothing half-written ever stays."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellspan.core.errors import CellspanError
from cellspan.core.images import IMAGE_SUFFIXES

# What cellspan itself writes, and annotations, are not images to segment.
RESULT_MARKS = ("_masks", "_labels", "_overlay", "_flows", "_probability")


@dataclass(frozen=True)
class Input:
    """An image to segment and the subfolder, below the output folder, that its results go to."""

    path: Path
    subfolder: Path

    @property
    def stem(self) -> Path:
        """Results are called `<stem>_labels.tif` and so on, below the output folder."""
        return self.subfolder / self.path.stem


def find_inputs(names: Iterable[str]) -> list[Input]:
    """Images named by files, folders (with all below them) or patterns, each once, in alphabetical order.

    A named file is always taken, so that a missing one is reported; raises CellspanError if nothing is left.
    """
    found: dict[Path, Input] = {}
    for name in names:
        path = Path(name).expanduser()
        if path.is_dir():
            new = [Input(file, file.parent.relative_to(path)) for file in sorted(path.rglob("*")) if _is_image(file)]
        elif path.exists() or not glob.has_magic(name):
            new = [Input(path, Path())]
        else:
            new = [
                Input(Path(file), Path()) for file in sorted(glob.glob(name, recursive=True)) if _is_image(Path(file))
            ]
        if not new:
            raise CellspanError(
                f"{name}: no images were found there (known types: {', '.join(sorted(IMAGE_SUFFIXES))})."
            )
        for item in new:
            found.setdefault(item.path.absolute(), item)
    return list(found.values())


def _is_image(path: Path) -> bool:
    known = path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    return known and not path.name.startswith(".") and not any(mark in path.stem for mark in RESULT_MARKS)


def make_folder(path: Path) -> None:
    """Create a folder with its parents; raises CellspanError if that is not possible or it cannot be written to."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CellspanError(f"{path}: the folder cannot be made ({error.strerror}).") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise CellspanError(f"{path}: the folder cannot be written to; choose another one.")


def write_atomically(path: Path, write: Callable[[Path], Any]) -> Path:
    """Let `write` fill a temporary file beside `path`, then rename it; raises CellspanError that names the file."""
    # The suffix stays at the end, because writers choose the format by it.
    temporary = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise CellspanError(f"{path}: the file cannot be written ({error.strerror or error}).") from None
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_json(path: Path, content: Any) -> Path:
    """Write indented JSON."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    return write_atomically(path, lambda part: part.write_text(text, encoding="utf-8"))
