"""Reads CellProfiler's log: its progress and errors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cellspan.cp_module.batch.pipeline import LAST_MODULE

STEP = re.compile(r"Image # (\d+), module (\w+) # (\d+): CPU_time")
CUT = "Failed to load pipeline"
NOTE = re.compile(r"^Note on (.+?): (.+)$")  # of IdentifyObjectsByFlow, before the line of its step
STARTED = "Times reported are CPU and Wall-clock times"
UNKNOWN_MODULE = re.compile(r"[Cc]ould not find the (\w+) module")
ERROR = re.compile(r"^(?:[A-Za-z_]\w*\.)*\w*(?:Error|Exception|Exit)\b: ?.*$|^MemoryError$", re.MULTILINE)
IN_MODULE = re.compile(r"Error detected during run of module (\w+)|processing for module (\w+)|run for module (\w+)")


@dataclass(frozen=True)
class Log:
    """The log of one CellProfiler process."""

    text: str

    @property
    def steps(self) -> list[tuple[int, str]]:
        """(image set, module) in the order in which they finished."""
        return [(int(number), module) for number, module, _ in STEP.findall(self.text)]

    @property
    def completed(self) -> set[int]:
        """The image sets that completed the pipeline."""
        return {number for number, module in self.steps if module == LAST_MODULE}

    @property
    def notes(self) -> list[tuple[int, str, str]]:
        """(image set, objects, note) for everything that IdentifyObjectsByFlow noted."""
        found, pending = [], []
        for line in self.text.splitlines():
            if note := NOTE.match(line):
                pending.append((note[1], note[2]))
            elif pending and (step := STEP.search(line)):
                found += [(int(step[1]), objects, text) for objects, text in pending]
                pending = []
        return found

    @property
    def was_cut(self) -> bool:
        """Whether CellProfiler skipped modules; only the log says so, and the rest still runs."""
        return CUT in self.text

    def seen_in(self, module: str) -> set[int]:
        """The image sets that this module has processed."""
        return {number for number, name in self.steps if name == module}

    def culprit(self, numbers: Sequence[int]) -> int | None:
        """The image set among these in which it stopped; None if before or after all of them."""
        if not self.steps:
            return numbers[0] if STARTED in self.text else None
        number, module = self.steps[-1]
        waiting = (one for one in numbers if one > number or (one == number and module != LAST_MODULE))
        return next(waiting, None)

    def kind(self) -> str:
        """The module and the error, without what differs between image sets; '' if no module reported one."""
        errors, where = ERROR.findall(self.text), self._where()
        return f"{where}: {errors[-1].partition(':')[0].strip()}" if errors and where else ""

    def reason(self) -> str:
        """The cause in one line, or ''."""
        unknown = UNKNOWN_MODULE.search(self.text)
        if unknown and self.was_cut:
            return f"the module {unknown[1]} is missing"
        errors = ERROR.findall(self.text)
        if not errors:
            return ""
        where = self._where()
        error = re.sub(r"\s+", " ", errors[-1]).strip()[:300]
        return f"{where}: {error}" if where else error

    def _where(self) -> str:
        """The module that reported the last error, or ''."""
        found = IN_MODULE.findall(self.text)
        return next((name for name in found[-1] if name), "") if found else ""


def read_log(path: Path) -> Log:
    """The log written so far."""
    try:
        return Log(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return Log("")
