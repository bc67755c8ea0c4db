"""Patterns with wildcards (*, ?, **, [abc]), in which brackets may just as well be a part of a name."""

from __future__ import annotations

import glob
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cellspan.core.files.folders import folders_below

# A bracket that is escaped already, one that stands for a choice of characters, one that is never closed.
BRACKETS = re.compile(r"\[\[\]|\[[^\[\]/]+\]|\[")
MOST = 6  # pairs of brackets that are read in both ways


@dataclass(frozen=True)
class Matches:
    """What a pattern stands for."""

    fixed: Path  # the folder before the first wildcard
    paths: list[Path]  # files and folders, in alphabetical order
    note: str = ""  # what people should know of how it was read


def expand(pattern: str) -> Matches:
    """Files and folders that a pattern stands for.

    Brackets are read as a part of names where there are such names (`plate[1]_*.tif` finds `plate[1]_a.tif`), and
    else as a choice of characters (`plate1_a.tif`).
    """
    readings = [*_readings(pattern)]
    for number, reading in enumerate(readings, 1):
        paths = _found(reading)
        if paths:
            others = {path for other in readings[number:] for path in _found(other)} - set(paths)
            return Matches(_fixed(reading), paths, _note(pattern, len(others)) if others else "")
    return Matches(_fixed(readings[-1]), [])


def _readings(pattern: str) -> Iterator[str]:
    """The pattern with brackets as parts of names first, and with all of them as choices of characters last."""
    choices = [found[0] for found in BRACKETS.finditer(pattern) if len(found[0]) > 1 and found[0] != "[[]"]
    free = len(choices) if len(choices) <= MOST else 0
    ways = itertools.product((True, False), repeat=free)
    for way in sorted(ways, key=lambda way: -sum(way)):
        literal = iter(way or (False,) * len(choices))

        def read(found: re.Match[str], literal: Iterator[bool] = literal) -> str:
            text = found[0]
            if text == "[[]" or (text != "[" and not next(literal)):
                return text
            return "[[]" + text[1:]

        yield BRACKETS.sub(read, pattern)


def _found(pattern: str) -> list[Path]:
    """As glob.glob, but what links lead to comes once, however they are nested; `**` stands for folders alone."""
    parts = Path(pattern).parts
    if "**" not in parts:
        return [Path(name) for name in sorted(glob.glob(pattern))]
    place = parts.index("**")
    tops = _found(str(Path(*parts[:place]))) if place else [Path()]
    rest = parts[place + 1 :]
    if not rest:
        return [top for top in tops if top.is_dir()]
    folders = (folder for top in tops for folder, _ in folders_below(top))
    return sorted({path for folder in folders for path in _found(str(Path(glob.escape(str(folder)), *rest)))})


def _fixed(pattern: str) -> Path:
    literal = itertools.takewhile(lambda part: not glob.has_magic(part.replace("[[]", "")), Path(pattern).parts)
    return Path(*(part.replace("[[]", "[") for part in literal))


def _note(pattern: str, others: int) -> str:
    files = "1 other file" if others == 1 else f"{others} other files"
    return (
        f"{pattern}: the brackets were read as a part of the names, because there are such names; "
        f"{files} that they could stand for as a choice of characters {'was' if others == 1 else 'were'} left out."
    )
