"""Files that a search finds and that are no images to segment: results, annotations and types that are not read."""

from __future__ import annotations

import json
import mimetypes
import os
import re
from collections.abc import Iterable
from pathlib import Path

from cellspan.core.files.result_names import ENDINGS, OWN_ENDINGS

MASKS = re.compile(r"(_cp_masks|_masks)\d*$")  # annotations, also those of Cellpose and of a second expert
PICTURES = (".tif", ".png")  # the types of results that could be taken for images
OWN_MARKS = tuple(Path(ending).stem for ending in OWN_ENDINGS if Path(ending).suffix in PICTURES)
RESTORED = Path(ENDINGS["restored"]).stem  # such a result is an image, which may be segmented without the original
RECORDS = re.compile(r"run(-.*)?\.jsonl?")
SERIES = re.compile(r"_s\d+$")
# Types of microscopes and libraries that mimetypes does not know.
# fmt: off
MICROSCOPES = frozenset((
    ".czi", ".nd2", ".lif", ".lof", ".xlef", ".oib", ".oif", ".oir", ".poir", ".vsi", ".ims", ".svs", ".scn", ".ndpi",
    ".mrxs", ".bif", ".qptiff", ".zvi", ".dv", ".r3d", ".sld", ".flex", ".mvd2", ".c01", ".mrc", ".dm3", ".dm4", ".nii",
    ".nrrd", ".mha", ".mhd", ".dcm", ".h5", ".hdf5", ".n5", ".jp2", ".j2k", ".jxr", ".jxl", ".webp", ".heic", ".dng",
    ".fits", ".sis", ".obf", ".msr", ".liff", ".b16",
))
# fmt: on
SHOWN = 3  # names in a sentence


def marked(stem: str) -> tuple[str, str] | None:
    """The name of the image and the mark, if a name ends like a result or an annotation; else None."""
    folded = stem.casefold()
    masks = MASKS.search(folded)
    for mark in (*([masks[0]] if masks else ()), *OWN_MARKS):
        if folded.endswith(mark) and len(stem) > len(mark):
            return stem[: -len(mark)], mark
    return None


class Results:
    """Tells results and annotations from images whose names only look like theirs."""

    def __init__(self, searched: Iterable[Path], named: Iterable[Path], suffixes: Iterable[str]) -> None:
        """Of files that were found in folders or by patterns, and of those that the user named; suffixes of images."""
        self._suffixes = frozenset(suffixes)
        self._stems = {path.stem.casefold() for path in searched if not marked(path.stem)}
        self._named = {(path.parent, path.stem.casefold()) for path in named}
        self._listed: dict[Path, frozenset[str]] = {}
        self._images: dict[Path, frozenset[str]] = {}
        self._recorded: dict[Path, bool] = {}

    def holds_named(self, path: Path) -> bool:
        """Whether a file that the user named is a result: only if its image was named as well, as `*.tif` does it."""
        split = marked(path.stem)
        return split is not None and any((path.parent, owner) in self._named for owner in _owners(split[0]))

    def holds(self, path: Path) -> bool:
        """Whether a file that was found, and whose name ends like a result's or an annotation's, is one.

        It is one if its image stands beside it or was found in the same search, if other results of that image stand
        beside it, or if it is called exactly like our results in a folder with the record of a run. A restored image is
        one only if its image is there.
        """
        split = marked(path.stem)
        if split is None:
            return False
        beside, owners = self._beside(path.parent), _owners(split[0])
        if owners & self._stems or owners & self._images_beside(path.parent):
            return True
        if beside & _results_of(path.stem) or split[1] == RESTORED:
            return False  # it has results of its own, or is an image of its own
        own = path.name.casefold()
        others = _results_of(split[0]) - {own}
        return own in _results_of(split[0]) and (bool(others & beside) or self._is_below_record(path.parent))

    def _beside(self, folder: Path) -> frozenset[str]:
        """The names in a folder, in small letters."""
        if folder not in self._listed:
            try:
                self._listed[folder] = frozenset(name.casefold() for name in os.listdir(folder))
            except OSError:
                self._listed[folder] = frozenset()
        return self._listed[folder]

    def _images_beside(self, folder: Path) -> frozenset[str]:
        """The stems of the images in a folder, in small letters; found once, because each result asks for them."""
        if folder not in self._images:
            names = map(Path, self._beside(folder))
            self._images[folder] = frozenset(name.stem for name in names if name.suffix in self._suffixes)
        return self._images[folder]

    def _is_below_record(self, folder: Path) -> bool:
        """Whether a run has left its record in this folder, or above it with results for this subfolder."""
        if folder not in self._recorded:
            self._recorded[folder] = self._has_record(folder)
        return self._recorded[folder]

    def _has_record(self, folder: Path) -> bool:
        for place in (folder, *folder.absolute().parents):
            records = [place / name for name in self._beside(place) if RECORDS.fullmatch(name)]
            if records:
                below = os.path.relpath(folder, place)
                return below == "." or any(_names(record, below) for record in records)
        return False


def _names(record: Path, subfolder: str) -> bool:
    """Whether the record of a run names results in a subfolder."""
    try:
        return json.dumps(f"{subfolder}{os.sep}")[1:-1] in record.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _owners(stem: str) -> set[str]:
    """How the image of a result or of an annotation may be called."""
    return {name.casefold() for name in (stem, f"{stem}_img", SERIES.sub("", stem))}


def _results_of(stem: str) -> set[str]:
    return {(stem + ending).casefold() for ending in OWN_ENDINGS}


def is_other_picture(path: Path, suffixes: Iterable[str]) -> bool:
    """Whether a file seems to be an image of a type that is not read, or an image whose suffix is damaged."""
    suffix = path.suffix.casefold()
    if suffix in suffixes:
        return False
    guessed = mimetypes.guess_type(f"x{suffix}")[0] or ""
    damaged = Path(path.name.rstrip(". ")).suffix.casefold() in suffixes
    return suffix in MICROSCOPES or guessed.startswith("image/") or damaged


def notes_on(results: Iterable[Path], lonely: Iterable[Path], others: Iterable[Path]) -> list[str]:
    """What people should know of files that were left out, and of images whose names look like results."""
    notes, results, lonely, others = [], list(results), list(lonely), list(others)
    if results:
        first = results[0]
        ending = first.name[-len((marked(first.stem) or ("", ""))[1] + first.suffix) :]
        notes.append(
            f"{_files(results)} left out, because the names are those of results or annotations of other images here "
            f"({_shown(results)}); to segment them, name them without those images, or give a pattern with their "
            f'ending, such as "*{ending}".'
        )
    if lonely:
        notes.append(
            f"{_files(lonely)} segmented although {_called(lonely)} ({_shown(lonely)}), because no image that "
            f"{_they(lonely)} could belong to is here."
        )
    if others:
        types = ", ".join(sorted({path.suffix.lower() or path.name for path in others}))
        notes.append(
            f"{_files(others)} left out, because cellspan does not read files of this type ({types}): "
            f"{_shown(others)}; save them as TIFF."
        )
    return notes


def _files(paths: list[Path]) -> str:
    return "1 file was" if len(paths) == 1 else f"{len(paths)} files were"


def _they(paths: list[Path]) -> str:
    return "it" if len(paths) == 1 else "they"


def _called(paths: list[Path]) -> str:
    return "it is called like a result" if len(paths) == 1 else "they are called like results"


def _shown(paths: list[Path]) -> str:
    names = [path.name for path in paths[:SHOWN]]
    return ", ".join(names) + (", ..." if len(paths) > SHOWN else "")
