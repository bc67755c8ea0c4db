"""What the records in a results folder say: the images of the runs, and how the results of each were made."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cellspan.core.pictures.inputs import Input
from cellspan.core.results.outputs import ENDINGS
from cellspan.core.results.run_record import EARLIER, LINES, NEWEST, started_of


@dataclass(frozen=True)
class Made:
    """How the results of one image were made."""

    image: str  # its path as the run was given it
    series: int | None
    parameters: dict[str, Any]
    model: str
    diameter: float | None = None
    notes: list[str] = field(default_factory=list)
    error: str = ""  # why there are none

    def as_json(self) -> dict[str, Any]:
        """What the page tells of it."""
        return {
            "parameters": self.parameters,
            "model": self.model,
            "diameter": self.diameter,
            "notes": self.notes,
        }


class Runs:
    """The records of all runs in a folder, the latest of each image; damaged ones are passed over."""

    def __init__(self, folder: Path) -> None:
        """Reads them now."""
        self.folder = folder
        self.made: dict[str, Made] = {}  # by the path of the label image, relative to the folder, with /
        self.parameters: dict[str, Any] = {}  # of the run that ended last
        for about, inputs in _records(folder):
            self._add(about, inputs)

    def of(self, item: Input) -> Made | None:
        """How the results of an image were made."""
        return self.made.get(_key(f"{item.stem}{ENDINGS['labels']}"))

    def inputs(self, here: Path) -> list[Input]:
        """The images of the runs, if they are found; their paths may be relative to `here` or to a folder above."""
        found: dict[str, Input] = {}
        for key, made in self.made.items():
            path = _found(made.image, [here, self.folder, *self.folder.parents])
            stem = Path(key[: -len(ENDINGS["labels"])])
            found[key] = Input(path, stem.parent, made.series)
        return [found[key] for key in sorted(found)]

    def _add(self, about: dict[str, Any], inputs: Iterable[dict[str, Any]]) -> None:
        parameters = about.get("parameters") or {}
        self.parameters = parameters or self.parameters
        model = str((about.get("model") or {}).get("name") or parameters.get("model", ""))
        for record in inputs:
            outputs = record.get("outputs") or {}
            if "skipped" in record or not outputs:
                continue
            made = Made(
                str(record["input"]),
                record.get("series"),
                parameters,
                model,
                record.get("diameter"),
                list(record.get("notes") or []),
            )
            for kind, path in outputs.items():
                stem = str(path)[: -len(ENDINGS[kind])] if kind in ENDINGS else None
                if stem is not None:
                    self.made[_key(stem + ENDINGS["labels"])] = made
                    break


def _records(folder: Path) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """What each run says of itself and of its images, in the order in which they started."""
    for path in sorted([*folder.glob(EARLIER), *folder.glob(NEWEST)], key=started_of):
        try:
            about = json.loads(path.read_bytes())
            yield about, list(about.pop("inputs"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    for path in sorted(folder.glob(LINES)):
        try:
            lines = [json.loads(line) for line in path.read_bytes().splitlines() if line.endswith(b"}")]
            yield lines[0], lines[1:]
        except (OSError, ValueError, IndexError):
            continue


def _found(name: str, places: Iterable[Path]) -> Path:
    path = Path(name)
    if path.is_absolute():
        return path
    return next((place / path for place in places if (place / path).exists()), path)


def _key(path: str) -> str:
    """One for each label image, whatever the system of the run."""
    return path.replace("\\", "/")
