"""What IdentifyObjectsByFlow noted on image sets of a run, in a line for each kind of note."""

from __future__ import annotations

import re
from collections import defaultdict

from cellspan.cp_module.batch.log import read_log
from cellspan.cp_module.batch.state import State
from cellspan.cp_module.batch.task import LOG, ranges_folder

NUMBERS = re.compile(r"\d+(\.\d+)?")


def notes_of(state: State) -> list[str]:
    """The notes in the logs of the finished ranges; those that differ only in numbers are told once, with their count.

    All of them are in the measurement Flow_Notes, which nobody reads in a table of thousands of rows.
    """
    alike: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)  # objects and kind of note -> image set -> note
    for span in sorted(state.done):
        for number, objects, note in read_log(ranges_folder(state.folder) / span.name / LOG).notes:
            alike[objects, NUMBERS.sub("0", note)].setdefault(number, note)
    lines = []
    for (objects, _), notes in alike.items():
        first = min(notes)
        others = f" and {len(notes) - 1} other{'s' * (len(notes) > 2)}" if len(notes) > 1 else ""
        lines.append(f"{objects} in {state.plan.named(first)}{others}: {notes[first]}")
    return lines
