"""What the tests of batch runs share: a plan, a task of it, ranges that are done."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cellspan.core.files.writing import write_json
from cellspan.cp_module.batch.cellprofiler import CellProfiler
from cellspan.cp_module.batch.split import Range
from cellspan.cp_module.batch.state import FOLDER, Plan, State
from cellspan.cp_module.batch.task import DONE, OUTPUT, Task, ranges_folder

Finish = Callable[..., Path]


def plan_of(units: list[tuple[int, int]], grouped: bool = False) -> Plan:
    """A plan of these units; each image set has one file."""
    numbers = [number for first, last in units for number in range(first, last + 1)]
    return Plan(
        pipeline="/pipelines/nuclei.cppipe",
        pipeline_sha256="0" * 64,
        images="/images",
        files=[f"{number}.tif" for number in numbers],
        grouped=grouped,
        units=units,
        group_of=[{"Plate": f"P{index}"} if grouped else {} for index in range(len(units))],
        paths={number: {"DNA": f"/images/{number}.tif"} for number in numbers},
    )


@pytest.fixture
def state(tmp_path: Path) -> State:
    """A run of eight image sets of which nothing is done."""
    return State(tmp_path / "out", plan_of([(number, number) for number in range(1, 9)]))


@pytest.fixture
def template(state: State) -> Task:
    """A task of the run; its program, Python alone, is never CellProfiler."""
    state.folder.mkdir(parents=True)
    folders = (state.output.parent / "plugins", state.output.parent / "images")
    return Task(Range(1, 8), state.folder, CellProfiler((sys.executable,), None), *folders, ())


@pytest.fixture
def finish(tmp_path: Path) -> Finish:
    """Make a range that is done: files are tables if they end in .csv, otherwise images."""

    def make(span: Range, **files: str) -> Path:
        folder = ranges_folder(tmp_path / "out" / FOLDER) / span.name
        names = {name.replace("_", "."): text for name, text in files.items()}
        for name, text in names.items():
            (folder / OUTPUT).mkdir(parents=True, exist_ok=True)
            (folder / OUTPUT / name).write_text(text)
        folder.mkdir(parents=True, exist_ok=True)
        record = {
            "first": span.first,
            "last": span.last,
            "tables": {name: len(text) for name, text in names.items() if name.endswith(".csv")},
            "files": [name for name in names if not name.endswith(".csv")],
        }
        write_json(folder / DONE, record)
        return folder

    return make
