"""What earlier runs say of the results in a folder: with which parameters and which model they were written."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cellspan.core.run_record import EARLIER, LINES, NEWEST, Record

UNKNOWN = "Nothing in the folder says with which parameters the results that were there already were written."


class EarlierRuns:
    """Which run wrote which result last."""

    def __init__(self, folder: Path) -> None:
        """Read the records in a folder, also those of runs that still go on."""
        self._runs = sorted(_records(folder), key=lambda run: str(run[0].get("started")))
        self._writer = {path: number for number, (_, paths) in enumerate(self._runs) for path in paths}

    def notes(self, paths: Iterable[str], about: Record) -> list[str]:
        """What people should know who keep these results, relative to the folder, in a run of this description."""
        writers = {self._writer.get(path) for path in paths}
        if None in writers:
            return [UNKNOWN]
        found = {_differences(self._runs[number][0], about) for number in writers if number is not None}
        return [
            f"Results that were there already were written with {changes} and are kept; --overwrite replaces them."
            for changes in sorted(found)
            if changes
        ]


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


def _records(folder: Path) -> Iterator[tuple[Record, list[str]]]:
    """Each run's description and the paths of the results that it wrote; a damaged record is passed over."""
    for path in [*folder.glob(NEWEST), *folder.glob(EARLIER)]:
        with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
            about = json.loads(path.read_bytes())
            yield about, _written(about.pop("inputs"))
    for path in folder.glob(LINES):
        with contextlib.suppress(OSError, ValueError, AttributeError, TypeError), path.open("rb") as lines:
            about = json.loads(lines.readline())
            yield about, _written(json.loads(line) for line in lines if line.endswith(b"\n"))


def _written(records: Iterable[Record]) -> list[str]:
    return [path for record in records if "skipped" not in record for path in record.get("outputs", {}).values()]
