"""Finding the images that a user means: by files, folders and patterns."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cellspan.core.errors import CellspanError

TIFF_SUFFIXES = {".tif", ".tiff", ".stk", ".lsm"}
MICROSCOPE_SUFFIXES = {".nd2", ".czi", ".lif", ".oir"}  # read with `pip install "cellspan[formats]"`
IMAGE_SUFFIXES = TIFF_SUFFIXES | {".png", ".jpg", ".jpeg", ".bmp"} | MICROSCOPE_SUFFIXES
ZARR_SUFFIX = ".zarr"  # a folder that is one image
# What cellspan itself writes, and annotations, are not images to segment.
RESULT_MARKS = ("_masks", "_labels", "_overlay", "_flows", "_probability", "_orthogonal")


@dataclass(frozen=True)
class Input:
    """An image to segment and the subfolder, below the output folder, that its results go to."""

    path: Path
    subfolder: Path
    series: int | None = None  # which image of a file that holds several

    @property
    def stem(self) -> Path:
        """Results are called `<stem>_labels.tif` and so on, below the output folder."""
        return self.subfolder / (self.path.stem + ("" if self.series is None else f"_s{self.series}"))


def find_inputs(names: Iterable[str]) -> list[Input]:
    """Images named by files, folders (with all below them) or patterns, each once, in alphabetical order.

    Subfolders are kept: those below a folder, and those that a pattern's wildcards stand for; of several folders, each
    gets a subfolder of its name. What is named but missing or empty comes along, so that it is reported like a bad
    image. Raises CellspanError if there is nothing else.
    """
    names = list(names)
    several = sum(os.path.isdir(os.path.expanduser(name)) for name in names) > 1
    found: dict[Path, Input] = {}
    for name in names:
        for item in _inputs_of(os.path.expanduser(name), several):
            found.setdefault(item.path.absolute(), item)
    if not any(item.path.is_file() or is_zarr(item.path) for item in found.values()):
        known = ", ".join(sorted(IMAGE_SUFFIXES))
        raise CellspanError(f"{', '.join(names)}: no images were found there (known types: {known}).")
    return list(found.values())


def _inputs_of(name: str, several: bool) -> list[Input]:
    path = Path(name)
    if path.is_dir() and not is_zarr(path):
        top = Path(path.resolve().name) if several else Path()
        files = filter(_is_image, sorted(path.rglob("*")))
        images = [Input(file, top / file.parent.relative_to(path)) for file in files]
    elif path.exists() or not glob.has_magic(name):
        images = [Input(path, Path())]
    else:
        fixed = Path(*itertools.takewhile(lambda part: not glob.has_magic(part), path.parts))
        files = filter(_is_image, map(Path, sorted(glob.glob(name, recursive=True))))
        images = [Input(file, file.parent.relative_to(fixed)) for file in files]
    return images or [Input(path, Path())]


def is_zarr(path: Path) -> bool:
    """Whether this folder is one image, as OME-Zarr keeps it."""
    return path.suffix.lower() == ZARR_SUFFIX and path.is_dir()


def _is_image(path: Path) -> bool:
    known = (path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()) or is_zarr(path)
    return known and not path.name.startswith(".") and not any(mark in path.stem for mark in RESULT_MARKS)
