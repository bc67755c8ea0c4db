"""What earlier runs say of the results in a folder: with which parameters and which model they were written."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cellspan.core.results.run_record import EARLIER, LINES, NEWEST, Record, started_of

UNKNOWN = "No record in the folder says with which parameters some of the results that were there already were written."
SKEW = 60  # seconds by which the clocks of two computers may differ


class EarlierRuns:
    """Which run wrote which result last; also runs that go on beside this one."""

    def __init__(self, folder: Path) -> None:
        """Read the records in a folder."""
        self._folder = folder
        self._runs: list[Record] = []
        self._writer: dict[str, int] = {}  # path of a result -> its place among the runs
        self._read: dict[Path, tuple[int, int]] = {}  # lines of runs that go on -> place among the runs, bytes read
        self._known: set[tuple[int, int]] = set()  # records, whatever their name is by now
        self._read_records()

    def notes(self, paths: Iterable[str], about: Record) -> list[str]:
        """What people should know who keep these results, relative to the folder, in a run of this description."""
        paths = list(paths)
        if any(path not in self._writer and self._is_new(path) for path in paths):
            self._read_records()
        writers = {self._writer.get(path) for path in paths}
        if None in writers:
            return [UNKNOWN]
        found = {_differences(self._runs[number], about) for number in writers if number is not None}
        return [
            f"Results that were there already were written with {changes} and are kept; --overwrite replaces them."
            for changes in sorted(found)
            if changes
        ]

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
                self._writer.update(dict.fromkeys(record.get("outputs", {}).values(), number))


def _when(path: Path) -> tuple[str, float]:
    """Records of the same second follow one another as they were finished."""
    try:
        return started_of(path), path.stat().st_mtime
    except OSError:  # renamed just now
        return "", 0.0


def _differences(earlier: Record, now: Record) -> str:
    """In words, such as `other parameters (diameter 26.0 instead of 30.0)`; empty if there are none."""
    then, today = earlier.get("parameters") or {}, now["parameters"]
    changed = [
        f"{name} {_shown(then.get(name))} instead of {_shown(value)}"
        for name, value in today.items()
        if name != "model" and then.get(name) != value
    ]
    words = [f"other parameters ({', '.join(changed)})"] if changed else []
    if (earlier.get("model") or {}).get("weights_sha256") != now["model"].get("weights_sha256"):
        words.append(f"another model ({then.get('model')})")
    return " and ".join(words)


def _shown(value: Any) -> str:
    return "automatic" if value is None else json.dumps(value)
