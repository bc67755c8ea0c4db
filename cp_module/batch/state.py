"""The state of a run on disk: its pipeline and images, the finished ranges, and batch.json."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import write_json
from cellspan.cp_module.batch.cellprofiler import end_recorded
from cellspan.cp_module.batch.split import Range, named
from cellspan.cp_module.batch.task import DONE, OUTPUT, RECORD, attempts_folder, ranges_folder, stop_file

FOLDER = ".cellspan-batch"
REPORT = "batch.json"


class Plan(BaseModel):
    """The image sets of a run, fixed at its start; CellProfiler's own record is Batch_data.h5."""

    pipeline: str
    pipeline_sha256: str
    images: str
    files: list[str]  # relative to `images`
    grouped: bool
    units: list[tuple[int, int]]  # ranges that must not be divided
    group_of: list[dict[str, str]]  # the metadata of each unit
    paths: dict[int, dict[str, str]]  # image set -> channel -> file, if CellProfiler's Python is known
    places: dict[
        int, tuple[int, int, int]
    ] = {}  # with groups, of each set: number of the group, index in it, its length
    notes: list[str] = []  # why it is not divided more finely, and what else CellProfiler told

    @property
    def spans(self) -> list[Range]:
        """The units as ranges."""
        return [Range(first, last) for first, last in self.units]

    @property
    def count(self) -> int:
        """Number of image sets."""
        return sum(span.count for span in self.spans)

    def place(self, number: int) -> tuple[int, int, int] | None:
        """The number of the group of an image set, its index there, and the group's length; None if it is not known.

        Without groups, all sets are one. CellProfiler counts them within a range only.
        """
        return self.places.get(number) if self.grouped else (1, number, self.count)

    def named(self, number: int) -> str:
        """An image set in words: its number and its files."""
        files = ", ".join(Path(path).name for path in self.paths.get(number, {}).values())
        return f"image set {number}" + (f" ({files})" if files else "")


@dataclass
class Failure:
    """An image set that failed."""

    reason: str
    log: str = ""


@dataclass
class State:
    """The run in one output folder."""

    output: Path
    plan: Plan
    done: list[Range] = field(default_factory=list)
    failed: dict[int, Failure] = field(default_factory=dict)
    results: list[str] = field(default_factory=list)
    started: str = field(default_factory=lambda: _now())

    @property
    def folder(self) -> Path:
        """The folder of everything except results."""
        return self.output / FOLDER

    @property
    def sets_done(self) -> int:
        """Number of finished image sets."""
        return sum(span.count for span in self.done)

    def give_up(self, span: Range, reason: str, culprit: int | None = None, log: str = "") -> None:
        """Skip these image sets; all of a group, because of the set that failed."""
        for number in span.numbers:
            own = culprit in (None, number)
            why = reason if own else f"{self.plan.named(culprit or number)}, of the same group, failed: {reason}"
            self.failed[number] = Failure(why, log)

    def report_end(self, condition: str, error: str = "") -> None:
        """Write how the run ended; if even that is impossible, as on a full disk, no batch.json is left to mislead."""
        try:
            self.report(condition, error)
        except (OSError, CellspanError):
            (self.output / REPORT).unlink(missing_ok=True)

    def report(self, condition: str, error: str = "") -> None:
        """Write batch.json: `condition` is running, interrupted, failed or done; `error`: why the run ended early."""
        counts = {"total": self.plan.count, "done": self.sets_done, "failed": len(self.failed)}
        content: dict[str, Any] = {
            "state": condition,
            **({"error": error} if error else {}),
            "started": self.started,
            "written": _now(),
            "pipeline": self.plan.pipeline,
            "pipeline_sha256": self.plan.pipeline_sha256,
            "images": self.plan.images,
            "versions": {"cellspan": version("cellspan")},
            "counts": {**counts, "waiting": counts["total"] - counts["done"] - counts["failed"]},
            "results": self.results,
            "sets": self._sets(),
        }
        write_json(self.output / REPORT, content)

    def _sets(self) -> list[dict[str, Any]]:
        range_of = {number: span.name for span in self.done for number in span.numbers}
        sets = []
        for span, group in zip(self.plan.spans, self.plan.group_of, strict=True):
            for number in span.numbers:
                record: dict[str, Any] = {"number": number, "state": "waiting"}
                if number in self.failed:
                    record |= {"state": "failed", "reason": self.failed[number].reason, "log": self.failed[number].log}
                elif number in range_of:
                    record |= {"state": "done", "range": range_of[number]}
                sets.append(record | _known(group=group, files=self.plan.paths.get(number)))
        return sets


def _known(**values: Mapping[str, str] | None) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def read_plan(output: Path) -> Plan | None:
    """The plan of the run in an output folder; None if there is no complete plan."""
    try:
        return Plan.model_validate_json((output / FOLDER / "plan.json").read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def write_plan(output: Path, plan: Plan) -> None:
    """This file exists once the plan is complete."""
    write_json(output / FOLDER / "plan.json", plan.model_dump(mode="json"))


def check_same_run(output: Path, plan: Plan, pipeline_sha256: str, images: Path, files: Sequence[str]) -> list[str]:
    """Raise CellspanError if the folder contains another run; returns notes about added images."""
    again = "choose another output folder, or add --restart to discard that run"
    if plan.pipeline_sha256 != pipeline_sha256:
        raise CellspanError(f"{output}: it contains a run of another pipeline ({plan.pipeline}); {again}.")
    if Path(plan.images) != images:
        raise CellspanError(f"{output}: it contains a run on other images ({plan.images}); {again}.")
    gone = sorted(set(plan.files) - set(files))
    if gone:
        raise CellspanError(f"{images / gone[0]}: this image of the run is missing; restore it, or {again}.")
    fresh = set(files) - set(plan.files)
    return (
        [f"{len(fresh)} files were added after the run began and are not included (use --restart to include them)."]
        if fresh
        else []
    )


def finished_ranges(folder: Path) -> list[Range]:
    """The finished ranges; damaged ones, for example after a power loss, are removed."""
    done: list[Range] = []
    for path in sorted(ranges_folder(folder).glob("*")):
        if _is_sound(path):
            done.append(named(path.name))
        else:
            shutil.rmtree(path, ignore_errors=True)
    return done


def _is_sound(path: Path) -> bool:
    try:
        content = json.loads((path / DONE).read_text(encoding="utf-8"))
        span = named(path.name)
        sizes = {name: (path / OUTPUT / name).stat().st_size for name in content["tables"]}
        return (content["first"], content["last"]) == (span.first, span.last) and sizes == content["tables"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def clear_attempts(folder: Path) -> None:
    """End the processes of a killed run on this computer, and remove its unfinished ranges."""
    for record in attempts_folder(folder).glob(f"*/{RECORD}"):
        end_recorded(record)
    shutil.rmtree(attempts_folder(folder), ignore_errors=True)
    with contextlib.suppress(OSError):
        stop_file(folder).unlink()


def forget(output: Path) -> None:
    """Remove the state of an earlier run; merged results stay until they are replaced."""
    clear_attempts(output / FOLDER)
    lock = "lock"  # held by this process
    for path in (output / FOLDER).glob("*"):
        if path.name == lock:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
