"""What earlier runs say of the results in a folder: with which parameters and which model they were written."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cellspan.core.errors import CellspanError
from cellspan.core.parameters import Parameters
from cellspan.core.results.run_record import EARLIER, LINES, NEWEST, Record, started_of

UNKNOWN = "No record in the folder says with which parameters some of the results that were there already were written."
DEFAULTS = Parameters().model_dump(mode="json")
COARSE = 2_000_000_000  # nanoseconds by which the time of a file may change when it is copied to another disk
SKEW = 60  # seconds by which the clocks of two computers may differ


class EarlierRuns:
    """Which run wrote which result last; also runs that go on beside this one."""

    def __init__(self, folder: Path) -> None:
        """Read the records in a folder."""
        self._folder = folder
        self._runs: list[Record] = []
        self._writer: dict[str, int] = {}  # path of a result -> its place among the runs
        self._image: dict[str, Record] = {}  # path of a result -> the image that it was made from
        self._read: dict[Path, tuple[int, int]] = {}  # lines of runs that go on -> place among the runs, bytes read
        self._known: set[tuple[int, int]] = set()  # records, whatever their name is by now
        self._read_records()

    def require_same_image(self, paths: Iterable[str], now: Record) -> None:
        """Refuse to keep results, relative to the folder, for an image with another name than theirs.

        `now` is what the record would say of the image. Raises CellspanError.
        """
        paths = list(paths)
        self._look_for(paths)
        for path in paths:
            image = self._image.get(path)
            if image and _name(image["input"]) != _name(now["input"]):
                raise CellspanError(
                    f"{now['input']}: {path} is there already, but it was made from {image['input']}; "
                    "rename one of the two images, or choose another output folder."
                )

    def notes(self, paths: Iterable[str], about: Record, now: Record) -> list[str]:
        """What people should know who keep these results of an image in a run of this description.

        The paths are relative to the folder; `now` is what the record would say of the image.
        """
        paths = list(paths)
        self._look_for(paths)
        writers = {self._writer.get(path) for path in paths}
        if None in writers:
            return [UNKNOWN]
        found = {_differences(self._runs[number], about) for number in writers if number is not None}
        notes = [
            f"Results that were there already were written with {changes} and are kept; --overwrite replaces them."
            for changes in sorted(found)
            if changes
        ]
        changed = {_change(self._image[path], now) for path in paths}
        return [*notes, *sorted(note for note in changed if note)]

    def _look_for(self, paths: Iterable[str]) -> None:
        """Read the records once more if a result can be of a run that goes on beside this one."""
        if any(path not in self._writer and self._is_new(path) for path in paths):
            self._read_records()

    def _is_new(self, path: str) -> bool:
        """Whether a result can be of a run that has told of it only after the records were read."""
        try:
            return (self._folder / path).stat().st_mtime > self._read_at - SKEW
        except OSError:
            return False

    def _read_records(self) -> None:
        """Read what is new; a damaged record is passed over."""
        self._read_at = time.time()
        records = [*self._folder.glob(NEWEST), *self._folder.glob(EARLIER)]
        for path in sorted(records, key=_when):
            with contextlib.suppress(OSError, ValueError, AttributeError, TypeError, KeyError):
                self._read_record(path)
        for path in self._folder.glob(LINES):
            with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
                self._read_lines(path)

    def _read_record(self, path: Path) -> None:
        found = path.stat()
        if (found.st_ino, found.st_mtime_ns) in self._known:
            return
        self._known.add((found.st_ino, found.st_mtime_ns))
        about = json.loads(path.read_bytes())
        inputs = about.pop("inputs")
        self._runs.append(about)
        self._add(inputs, len(self._runs) - 1)

    def _read_lines(self, path: Path) -> None:
        with path.open("rb") as lines:
            if path not in self._read:
                self._runs.append(json.loads(lines.readline()))
                self._read[path] = len(self._runs) - 1, lines.tell()
            number, position = self._read[path]
            lines.seek(position)
            for line in lines:
                if line.endswith(b"\n"):
                    self._add([json.loads(line)], number)
                    position += len(line)
            self._read[path] = number, position

    def _add(self, records: Iterable[Record], number: int) -> None:
        for record in records:
            if "skipped" not in record:
                outputs = record.get("outputs", {}).values()
                image = {name: record[name] for name in ("input", "bytes", "modified_ns") if name in record}
                self._writer.update(dict.fromkeys(outputs, number))
                self._image.update(dict.fromkeys(outputs, image))


def _when(path: Path) -> tuple[str, float]:
    """Records of the same second follow one another as they were finished."""
    try:
        return started_of(path), path.stat().st_mtime
    except OSError:  # renamed just now
        return "", 0.0


def _differences(earlier: Record, now: Record) -> str:
    """In words, such as `other parameters (diameter 26.0 instead of 30.0)`; empty if there are none."""
    # A run of a version that lacked an option had its default.
    then, today = {**DEFAULTS, **(earlier.get("parameters") or {})}, now["parameters"]
    changed = [
        f"{name} {_shown(then.get(name))} instead of {_shown(value)}"
        for name, value in today.items()
        if name != "model" and then.get(name) != value
    ]
    words = [f"other parameters ({', '.join(changed)})"] if changed else []
    if earlier.get("mask") != now.get("mask"):
        words.append(f"another mask ({earlier.get('mask') or 'none'} instead of {now.get('mask') or 'none'})")
    if (earlier.get("model") or {}).get("weights_sha256") != now["model"].get("weights_sha256"):
        words.append(f"another model ({then.get('model')})")
    restoring = [(run.get("restoring_model") or {}).get("weights_sha256") for run in (earlier, now)]
    if restoring[0] != restoring[1] and None not in restoring:
        words.append("another model that restores images")
    return " and ".join(words)


def _name(path: str) -> str:
    """The name of a file by its path, which may come from another system."""
    return re.split(r"[\\/]", path)[-1]


def _change(then: Record, now: Record) -> str:
    """What is different about the file of an image, as a sentence; empty if it is the same, or if that is not known."""
    before, after = then.get("modified_ns"), now.get("modified_ns")
    if before is None or after is None or abs(after - before) < COARSE:
        return ""
    if then["input"] == now["input"]:
        return "Some images have changed since their results were written, which are kept; --overwrite replaces them."
    places = [path.removesuffix(_name(path)) or "the current folder" for path in (then["input"], now["input"])]
    return (
        f"Results that were there already were made from images in {places[0]} and are kept for those of the "
        f"same names in {places[1]}; if these are other images, choose another output folder."
    )


def _shown(value: Any) -> str:
    return "automatic" if value is None else json.dumps(value)
