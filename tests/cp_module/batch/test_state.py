"""What is on disk about a run: it is known again, nothing damaged counts as done, batch.json has every image set."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import write_json
from cellspan.cp_module.batch import state as states
from cellspan.cp_module.batch.cellprofiler import host
from cellspan.cp_module.batch.split import Range
from cellspan.cp_module.batch.state import (
    FOLDER,
    Failure,
    Plan,
    State,
    check_same_run,
    clear_attempts,
    finished_ranges,
    forget,
    read_plan,
    write_plan,
)
from cellspan.cp_module.batch.task import DONE, OUTPUT, RECORD, attempts_folder, ranges_folder, stop_file

pytestmark = pytest.mark.quick

Finish = Callable[..., Path]


def test_a_plan_is_read_as_it_was_written(state: State) -> None:
    assert read_plan(state.output) is None
    state.folder.mkdir(parents=True)
    write_plan(state.output, state.plan)
    assert read_plan(state.output) == state.plan


def test_half_a_plan_is_none(state: State) -> None:
    state.folder.mkdir(parents=True)
    write_plan(state.output, state.plan)
    file = state.folder / "plan.json"
    file.write_text(file.read_text()[:100])
    assert read_plan(state.output) is None


def test_ranges_that_are_done(state: State, finish: Finish) -> None:
    finish(Range(4, 6), Image_csv="a\n", label_tiff="pixels")
    finish(Range(1, 3), Image_csv="b\n")
    assert finished_ranges(state.folder) == [Range(1, 3), Range(4, 6)]


def shorten(folder: Path) -> None:
    (folder / OUTPUT / "Image.csv").write_text("")


def remove_table(folder: Path) -> None:
    (folder / OUTPUT / "Image.csv").unlink()


def remove_record(folder: Path) -> None:
    (folder / DONE).unlink()


def empty_record(folder: Path) -> None:
    (folder / DONE).write_bytes(b"\x00" * 80)  # what some file systems leave after a power loss


def old_record(folder: Path) -> None:
    (folder / DONE).write_text('{"first": 4, "last": 6}')


def other_range(folder: Path) -> None:
    write_json(folder / DONE, json.loads((folder / DONE).read_text()) | {"first": 5})


@pytest.mark.parametrize("damage", [shorten, remove_table, remove_record, empty_record, old_record, other_range])
def test_a_damaged_range_is_removed_and_not_done(damage: Callable[[Path], None], state: State, finish: Finish) -> None:
    finish(Range(1, 3), Image_csv="good\n")
    damaged = finish(Range(4, 6), Image_csv="good\n")
    damage(damaged)
    assert finished_ranges(state.folder) == [Range(1, 3)]
    assert not damaged.exists()


def test_a_file_among_the_ranges_is_no_range(state: State, finish: Finish) -> None:
    finish(Range(1, 3), Image_csv="good\n")
    (ranges_folder(state.folder) / ".DS_Store").write_text("")
    (ranges_folder(state.folder) / "my notes").mkdir()
    assert finished_ranges(state.folder) == [Range(1, 3)]


def check(state: State, plan: Plan, images: Path | None = None) -> list[str]:
    """What is said if the run of `state` is called again as `plan` says."""
    return check_same_run(state.output, state.plan, plan.pipeline_sha256, images or Path(plan.images), plan.files)


def test_the_same_run_goes_on(state: State) -> None:
    assert check(state, state.plan) == []


def test_another_pipeline_is_refused(state: State) -> None:
    with pytest.raises(CellspanError, match=r"run of another pipeline \(/pipelines/nuclei\.cppipe\); .*--restart"):
        check(state, state.plan.model_copy(update={"pipeline_sha256": "1" * 64}))


def test_other_images_are_refused(state: State) -> None:
    with pytest.raises(CellspanError, match=r"run on other images \(/images\); .*--restart"):
        check(state, state.plan, Path("/elsewhere"))


def test_an_image_that_is_gone_is_named(state: State) -> None:
    with pytest.raises(CellspanError, match=r"^/images/3\.tif: this image of the run is missing"):
        check(state, state.plan.model_copy(update={"files": [name for name in state.plan.files if name != "3.tif"]}))


def test_images_that_have_come_since_are_counted(state: State) -> None:
    (note,) = check(state, state.plan.model_copy(update={"files": [*state.plan.files, "9.tif", "10.tif"]}))
    assert note.startswith("2 files were added")


def test_batch_json_has_the_state_of_every_set(state: State) -> None:
    state.output.mkdir()
    state.done, state.failed[4] = [Range(1, 3)], Failure("NamesAndTypes: ValueError: broken", "/logs/4.log")
    state.report("running")
    report = json.loads((state.output / "batch.json").read_text())
    assert report["state"] == "running"
    assert report["counts"] == {"total": 8, "done": 3, "failed": 1, "waiting": 4}
    assert [record["state"] for record in report["sets"]] == ["done"] * 3 + ["failed"] + ["waiting"] * 4
    assert report["sets"][0] == {
        "number": 1,
        "state": "done",
        "range": "000001-000003",
        "files": {"DNA": "/images/1.tif"},
    }
    assert report["sets"][3]["reason"] == "NamesAndTypes: ValueError: broken"
    assert report["sets"][3]["log"] == "/logs/4.log"


def test_how_a_run_ended_is_written_even_on_a_full_disk(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    state.output.mkdir()
    state.report("running")
    state.report_end("failed", "out.csv: the file cannot be written (No space left on device).")
    report = json.loads((state.output / "batch.json").read_text())
    assert (report["state"], report["error"][:8]) == ("failed", "out.csv:")

    def full(*_: object) -> None:
        raise CellspanError("batch.json: the file cannot be written (No space left on device).")

    state.report("running")
    monkeypatch.setattr(states, "write_json", full)
    state.report_end("failed")
    assert not (state.output / "batch.json").exists(), "rather nothing than what is not true"


def test_the_place_of_a_set_in_its_group(state: State) -> None:
    assert state.plan.place(3) == (1, 3, 8), "without groups, all sets are one"
    grouped = state.plan.model_copy(update={"grouped": True, "places": {3: (2, 1, 6)}})
    assert (grouped.place(3), grouped.place(4)) == ((2, 1, 6), None)


def test_a_set_is_named_by_its_files(state: State) -> None:
    assert state.plan.named(4) == "image set 4 (4.tif)"
    assert state.plan.model_copy(update={"paths": {}}).named(4) == "image set 4"


def test_half_done_ranges_and_their_processes_are_cleared_away(state: State) -> None:
    attempt = attempts_folder(state.folder) / "000001-000003.0123abcd"
    attempt.mkdir(parents=True)
    stop_file(state.folder).touch()
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    write_json(attempt / RECORD, {"host": host(), "pid": left.pid, "started": psutil.Process(left.pid).create_time()})
    clear_attempts(state.folder)
    assert not psutil.pid_exists(left.pid)
    left.wait()
    assert not attempt.exists()
    assert not stop_file(state.folder).exists()


@pytest.mark.parametrize("change", [{"host": "another computer"}, {"started": 1.0}])
def test_a_process_that_is_not_the_recorded_one_is_left_alone(change: dict[str, object], state: State) -> None:
    """Process numbers are used again, and mean something else on another computer."""
    attempt = attempts_folder(state.folder) / "000001-000003.0123abcd"
    attempt.mkdir(parents=True)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    record = {"host": host(), "pid": other.pid, "started": psutil.Process(other.pid).create_time()}
    write_json(attempt / RECORD, record | change)
    try:
        clear_attempts(state.folder)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_restart_forgets_all_but_the_lock(state: State, finish: Finish) -> None:
    finish(Range(1, 3), Image_csv="good\n")
    write_plan(state.output, state.plan)
    (state.folder / "lock").touch()
    (state.output / "Image.csv").write_text("earlier")
    forget(state.output)
    assert [path.name for path in (state.output / FOLDER).iterdir()] == ["lock"]
    assert (state.output / "Image.csv").exists()
