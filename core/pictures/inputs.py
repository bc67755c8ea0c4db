"""Finding the images that a user means: by files, folders and patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cellspan.core.errors import CellspanError
from cellspan.core.files.folders import folders_below
from cellspan.core.files.patterns import expand
from cellspan.core.files.regular import is_folder, is_regular
from cellspan.core.files.result_names import PAIRS_MARK
from cellspan.core.pictures.left_out import Results, is_other_picture, marked, notes_on

TIFF_SUFFIXES = {".tif", ".tiff", ".stk", ".lsm"}
MICROSCOPE_SUFFIXES = {".nd2", ".czi", ".lif", ".oir"}  # read with `pip install "cellspan[formats]"`
IMAGE_SUFFIXES = TIFF_SUFFIXES | {".png", ".jpg", ".jpeg", ".bmp"} | MICROSCOPE_SUFFIXES
ZARR_SUFFIX = ".zarr"  # a folder that is one image


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


def find_inputs(names: Iterable[str], on_note: Callable[[str], None] = lambda note: None) -> list[Input]:
    """Images named by files, folders (with all below them) or patterns, each once, in alphabetical order.

    Subfolders are kept: those below a folder, and those that a pattern's wildcards stand for; of several folders, each
    gets a subfolder of its name. What is named but missing or empty comes along, so that it is reported like a bad
    image. `on_note` gets a sentence on what was left out, and why. Raises CellspanError if there is nothing else.
    """
    names = list(names)
    paths = [os.path.expanduser(name) for name in names]
    tops = _subfolders_of([path for path in paths if _is_searched(Path(path))])
    searches = [_search(path, tops) for path in paths]
    notes = _sort_out(searches)
    found: dict[str, Input] = {}
    for search in searches:
        for item in search.images or ([] if search.is_file else [Input(search.path, Path())]):
            found.setdefault(_identity(item.path), item)
    if not any(is_regular(item.path) or is_zarr(item.path) for item in found.values()):
        raise CellspanError(" ".join([_nothing(names, searches), *notes]))
    for note in notes:
        on_note(note)
    return list(found.values())


def _nothing(names: list[str], searches: list[_Search]) -> str:
    if all(search.is_file and not os.path.lexists(search.path) for search in searches):
        return f"{', '.join(names)}: there is no such file or folder."
    known = ", ".join(sorted(IMAGE_SUFFIXES))
    return f"{', '.join(names)}: no images were found there (known types: {known})."


@dataclass
class _Search:
    """What one name on the command line stands for."""

    path: Path
    images: list[Input]
    is_file: bool = False  # rather than a folder or a pattern
    is_pattern: bool = False
    others: list[Path] = field(default_factory=list)  # pictures of types that are not read
    notes: list[str] = field(default_factory=list)

    def doubts(self, path: Path) -> bool:
        """Whether a file that was found is called like a result, and a pattern does not ask for just that."""
        split = marked(path.stem)
        return split is not None and not (self.is_pattern and split[1] in self.path.name.casefold())

    def search_folder(self, folder: Path, subfolder: Path) -> None:
        """Add the images in a folder and below it."""

        def unreadable(error: OSError) -> None:
            self.notes.append(f"{error.filename}: this folder cannot be read ({error.strerror}), so it was left out.")

        searched = folders_below(folder, is_zarr, unreadable)
        found = [path for place, paths in searched if not (place / PAIRS_MARK).exists() for path in paths]
        for path in sorted(found):
            self.add(path, subfolder / path.parent.relative_to(folder))

    def add(self, path: Path, subfolder: Path) -> None:
        """Add a file if it is an image."""
        if path.name.startswith("."):
            return
        if path.suffix.lower() in IMAGE_SUFFIXES or is_zarr(path):
            self.images.append(Input(path, subfolder))
        elif is_other_picture(path, IMAGE_SUFFIXES):
            self.others.append(path)


def is_image_file(path: Path) -> bool:
    """Whether a file has a known type of images and is not hidden."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _is_searched(path: Path) -> bool:
    return is_folder(path) and not is_zarr(path)


def _subfolders_of(folders: list[str]) -> dict[str, Path]:
    """The subfolder for the results of each folder: its name if there are several, and more of its path if need be."""
    if len(set(folders)) < 2:
        return dict.fromkeys(folders, Path())
    real = {folder: os.path.realpath(folder) for folder in folders}
    if len({os.path.basename(path) for path in real.values()}) == len(set(real.values())):
        return {folder: Path(os.path.basename(path)) for folder, path in real.items()}
    try:
        top = os.path.commonpath(real.values())
    except ValueError:  # on several drives
        raise CellspanError(f"{' and '.join(folders)}: these have one name; give each its own -o folder.") from None
    return {folder: Path(os.path.relpath(path, top)) for folder, path in real.items()}


def _search(name: str, tops: dict[str, Path]) -> _Search:
    path = Path(name)
    if name in tops:
        search = _Search(path, [])
        search.search_folder(path, tops[name])
        return search
    if os.path.lexists(path) or not glob.has_magic(name):
        return _Search(path, [Input(path, Path())], is_file=True)
    matches = expand(name)
    search = _Search(path, [], is_pattern=True, notes=[matches.note] if matches.note else [])
    for match in matches.paths:
        if _is_searched(match):
            search.search_folder(match, match.relative_to(matches.fixed))
        else:
            search.add(match, match.parent.relative_to(matches.fixed))
    return search


def _sort_out(searches: list[_Search]) -> list[str]:
    """Take results and annotations out of what was found; what people should know of that."""
    named = [item.path for search in searches if search.is_file for item in search.images]
    searched = [item.path for search in searches if not search.is_file for item in search.images]
    results = Results(searched, named, IMAGE_SUFFIXES)
    left: dict[str, Path] = {}
    lonely: dict[str, Path] = {}
    for search in searches:
        kept = []
        for item in search.images:
            if results.holds_named(item.path) if search.is_file else search.doubts(item.path):
                if search.is_file or results.holds(item.path):
                    left[_identity(item.path)] = item.path
                    continue
                lonely[_identity(item.path)] = item.path
            kept.append(item)
        search.images = kept
    wanted = {_identity(item.path) for search in searches for item in search.images}
    left_out = [path for key, path in left.items() if key not in wanted]
    others = dict.fromkeys(path for search in searches for path in search.others)
    return [*(note for search in searches for note in search.notes), *notes_on(left_out, lonely.values(), others)]


def _identity(path: Path) -> str:
    """One for each file, however links lead to its folder; a link to a file is a file of its own."""
    return os.path.join(os.path.realpath(path.parent), path.name)


def is_zarr(path: Path) -> bool:
    """Whether this folder is one image, as OME-Zarr keeps it."""
    return path.suffix.lower() == ZARR_SUFFIX and is_folder(path)
