"""A range is done only if all that must be there is there; what CellProfiler's exit code says does not count.

The program of these tests is a few lines of Python that behave as CellProfiler was seen to.
"""

from __future__ import annotations

import csv
import os
import sqlite3
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from cellspan.cp_module.batch.cellprofiler import CellProfiler
from cellspan.cp_module.batch.log import STARTED
from cellspan.cp_module.batch.split import Range
from cellspan.cp_module.batch.state import finished_ranges
from cellspan.cp_module.batch.task import (
    BATCH_DATA,
    DONE,
    Outcome,
    Task,
    attempts_folder,
    count_rows,
    image_rows,
    is_sqlite,
    is_table,
    ranges_folder,
    run_range,
    stop_file,
    template_folder,
)

pytestmark = pytest.mark.quick

PROGRAM = f"""
import pathlib, sqlite3, sys
option = lambda name: sys.argv[sys.argv.index(name) + 1]
output, sets = pathlib.Path(option("-o")), range(int(option("-f")), int(option("-l")) + 1)
def step(number, module):
    print(f"x: Image # {{number}}, module {{module}} # 5: CPU_time = 0.1 secs", flush=True)
def table(numbers):
    (output / "Image.csv").write_text("ImageNumber\\n" + "".join(f"{{number}}\\n" for number in numbers))
def complete():
    pathlib.Path(option("--done-file")).write_text("Complete\\n")
print("{STARTED}", flush=True)
"""
GOES_WELL = """
for number in sets:
    step(number, "ExportToDatabase")
    step(number, "CreateBatchFiles")
    (output / f"{number}.tiff").write_text("pixels")
table(sets)
complete()
"""


@pytest.fixture
def task(template: Task) -> Task:
    """Image sets 3 to 5 with one table, which CellProfiler has made room for."""
    folder = template_folder(template.folder)
    folder.mkdir(parents=True)
    (folder / BATCH_DATA).write_text("image sets")
    return replace(template, span=Range(3, 5), image_tables=("Image.csv",))


def run(task: Task, behaviour: str) -> Outcome:
    """Do the range with a program of this behaviour."""
    program = task.folder / "program.py"
    program.write_text(PROGRAM + behaviour)
    return run_range(replace(task, cellprofiler=CellProfiler((sys.executable, str(program)), None)))


def test_a_range_that_went_well_is_there_under_its_name(task: Task) -> None:
    assert run(task, GOES_WELL).state == "done"
    assert finished_ranges(task.folder) == [Range(3, 5)]
    output = ranges_folder(task.folder) / "000003-000005" / "output"
    assert sorted(path.name for path in output.iterdir()) == ["3.tiff", "4.tiff", "5.tiff", "Image.csv"]
    assert list(attempts_folder(task.folder).iterdir()) == []


def test_an_exit_code_of_failure_after_all_was_done_does_not_count(task: Task) -> None:
    assert run(task, GOES_WELL + "\nsys.exit(1)").state == "done"


@pytest.mark.parametrize(
    ("behaviour", "reason", "culprit"),
    [
        ("", "CellProfiler ended too early (exit code 0)", 3),
        ("step(3, 'Crop')\nraise ValueError('no image')", "ValueError: no image", 3),
        ("step(3, 'CreateBatchFiles')\nimport os; os.kill(os.getpid(), 9)", "killed by SIGKILL", 4),
        ("print('Failed to load pipeline')\n" + GOES_WELL, "CellProfiler skipped modules", None),
        (GOES_WELL.replace("table(sets)", "table(list(sets)[1:])"), "Image.csv has 2 rows for 3 image sets", None),
        (GOES_WELL.replace("table(sets)", ""), "Image.csv has 0 rows for 3 image sets", None),
        (GOES_WELL.replace("in sets:", "in list(sets)[:2]:"), "CellProfiler did not process image set 5", 5),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_success_is_not_believed(behaviour: str, reason: str, culprit: int | None, task: Task) -> None:
    outcome = run(task, behaviour)
    assert outcome.state == "failed"
    assert reason in outcome.reason
    assert outcome.culprit == culprit
    assert STARTED in Path(outcome.log).read_text(), "its log is kept"
    assert finished_ranges(task.folder) == []
    assert list(attempts_folder(task.folder).iterdir()) == []


def make_database(path: Path, rows: int) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE E_Per_Image (ImageNumber INTEGER)")
        database.executemany("INSERT INTO E_Per_Image VALUES (?)", [(number,) for number in range(rows)])


def test_rows_of_a_database_are_counted(task: Task) -> None:
    """The plan holds the database without rows, and this program adds none."""
    make_database(template_folder(task.folder) / "E.db", 0)
    outcome = run(task, GOES_WELL)
    assert (outcome.state, outcome.reason) == ("failed", "the database E.db has 0 rows for 3 image sets")
    insert = (
        "d = sqlite3.connect(output / 'E.db')\nfor n in sets: d.execute('INSERT INTO E_Per_Image VALUES (?)', (n,))"
    )
    assert run(task, f"{insert}\nd.commit()\n{GOES_WELL}").state == "done"


def test_a_program_that_is_not_there_is_a_failure_with_a_reason(task: Task) -> None:
    outcome = run_range(replace(task, cellprofiler=CellProfiler(("/no/such/cellprofiler",), None)))
    assert outcome.state == "failed"
    assert "/no/such/cellprofiler" in outcome.reason


def test_nothing_begins_once_the_run_was_stopped(task: Task) -> None:
    stop_file(task.folder).touch()
    assert run(task, GOES_WELL).state == "stopped"
    assert not attempts_folder(task.folder).exists()


@pytest.mark.parametrize("clear_away", [False, True])
def test_a_running_range_ends_when_the_run_is_stopped(clear_away: bool, task: Task) -> None:
    """Also on a computer that sees no more than that its folder was cleared away."""

    def stop() -> None:
        record = _wait_for_record(attempts_folder(task.folder))
        if clear_away:
            record.parent.rename(task.folder / "gone")
        else:
            stop_file(task.folder).touch()

    stopping = threading.Thread(target=stop)
    stopping.start()
    outcome = run(task, "import time; time.sleep(60)")
    stopping.join()
    assert outcome.state == "stopped"
    assert finished_ranges(task.folder) == []


def _wait_for_record(attempts: Path) -> Path:
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        for record in attempts.glob("*/process.json"):
            return record
        time.sleep(0.05)
    raise AssertionError("it did not start")


def test_the_record_says_what_is_a_table(task: Task) -> None:
    run(task, GOES_WELL)
    text = (ranges_folder(task.folder) / "000003-000005" / DONE).read_text()
    assert '"Image.csv": ' in text
    assert '"3.tiff"' in text


def test_rows_are_records_and_not_lines(tmp_path: Path) -> None:
    table = tmp_path / "Image.csv"
    assert count_rows(table) == 0
    table.write_text("")
    assert count_rows(table) == 0
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["ImageNumber", "Notes"], ["1", "two\nlines"], ["2", "x" * 200_000]])
    assert count_rows(table) == 2


def test_databases_are_known_by_what_they_hold(tmp_path: Path) -> None:
    make_database(tmp_path / "of any name", 4)
    assert is_sqlite(tmp_path / "of any name")
    assert image_rows(tmp_path / "of any name") == 4
    (tmp_path / "x.db").write_text("no database")
    assert not is_sqlite(tmp_path / "x.db")
    with closing(sqlite3.connect(tmp_path / "other.db")) as database, database:
        database.execute("CREATE TABLE Notes (text TEXT)")
    assert image_rows(tmp_path / "other.db") is None


@pytest.mark.parametrize(
    ("name", "table"), [("Image.csv", True), ("Image.TXT", True), ("E.properties", True), ("a.tiff", False)]
)
def test_tables_stay_with_their_range(name: str, table: bool, tmp_path: Path) -> None:
    (tmp_path / name).write_text("")
    assert is_table(tmp_path / name) is table


def test_two_attempts_at_a_range_do_not_share_a_folder(task: Task) -> None:
    """A computer that was believed lost may come back; the later one to end replaces the other's equal results."""
    runs = [threading.Thread(target=run, args=(task, GOES_WELL)) for _ in range(2)]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join()
    assert finished_ranges(task.folder) == [Range(3, 5)]
    assert os.listdir(attempts_folder(task.folder)) == []


def test_a_part_begins_with_the_databases_of_the_plan_only(task: Task) -> None:
    """Other files, such as the headers of MeasureObjectSkeleton, make CellProfiler ask whether to replace them."""
    plan = template_folder(task.folder)
    (plan / "edges.csv").write_text("image_number,v1,v2\n")
    make_database(plan / "E.db", 3)
    finds = "assert sorted(p.name for p in output.iterdir()) == ['E.db']\nstep(3, 'ExportToDatabase')\n"
    outcome = run(replace(task, span=Range(3, 3)), finds)
    assert "AssertionError" not in outcome.reason, outcome.reason


def test_a_failure_tells_in_which_module_and_whether_any_set_went_well(task: Task) -> None:
    fails = "print('Error detected during run of module FlagImage')\nraise ValueError('image 3 is odd')"
    outcome = run(task, fails)
    assert (outcome.kind, outcome.any_completed) == ("FlagImage: ValueError", False)
    outcome = run(task, "step(3, 'CreateBatchFiles')\n" + fails)
    assert (outcome.kind, outcome.any_completed) == ("FlagImage: ValueError", True)


def test_what_a_lost_worker_left_is_cleared_away_before_its_range_is_done_again(task: Task) -> None:
    left = attempts_folder(task.folder) / f"{task.span.name}.0123abcd"
    left.mkdir(parents=True)
    assert run(task, GOES_WELL).state == "done"
    assert not left.exists()
