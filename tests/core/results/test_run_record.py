"""The record of a run: what stays of it after a kill, on a full disk and beside other runs."""

from __future__ import annotations

import errno
import json
import os
import platform
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import hidden, write_json
from cellspan.core.results import run_record
from cellspan.core.results.run_record import RunRecord, keep_killed_runs, lock_of

pytestmark = pytest.mark.quick
ABOUT = {"started": "2026-01-02T03:04:05+00:00", "parameters": {"diameter": 25.0}, "model": {"name": "nuclei"}}
STARTED = "2026-01-02T03-04-05+00-00"


def run(folder: Path, *names: str) -> RunRecord:
    with RunRecord(folder, ABOUT) as record:
        for name in names:
            record.add({"input": name})
        record.finish("finished")
    return record


def killed(folder: Path, *names: str, about: dict[str, Any] = ABOUT) -> RunRecord:
    """What a killed run leaves: its lines, and a lock file that nobody holds."""
    with RunRecord(folder, about) as record:
        for name in names:
            record.add({"input": name})
    assert lock_of(record.lines).exists()
    return record


def inputs(path: Path) -> list[str]:
    return [record["input"] for record in json.loads(path.read_text())["inputs"]]


def everything(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_finished_run(tmp_path: Path) -> None:
    run(tmp_path, "a.tif", "b\udce4.tif", "ö.tif")
    content = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert {name: content[name] for name in ABOUT} == ABOUT
    assert content["ended"] == "finished"
    assert content["process"]["pid"] == os.getpid()
    assert inputs(tmp_path / "run.json") == ["a.tif", "b\udce4.tif", "ö.tif"]
    assert everything(tmp_path) == {"run.json"}


def test_each_image_has_its_line_at_once(tmp_path: Path) -> None:
    with RunRecord(tmp_path, ABOUT) as record:
        record.add({"input": "a.tif"})
        about, line = map(json.loads, record.lines.read_text().splitlines())
        assert about["parameters"] == ABOUT["parameters"]
        assert line == {"input": "a.tif"}
        assert not (tmp_path / "run.json").exists()


def test_earlier_records_are_kept_even_of_the_same_second(tmp_path: Path) -> None:
    for name in "abc":
        run(tmp_path, name)
    assert inputs(tmp_path / "run.json") == ["c"]
    assert inputs(tmp_path / f"run-{STARTED}.json") == ["a"]
    assert inputs(tmp_path / f"run-{STARTED}-2.json") == ["b"]
    (tmp_path / "run.json").write_text("not ours")
    run(tmp_path, "d")
    assert (tmp_path / "run-unreadable.json").read_text() == "not ours"


def test_a_record_as_it_was_written_before_is_kept_under_its_start(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {**ABOUT, "inputs": [{"input": "old"}]})
    run(tmp_path, "new")
    assert inputs(tmp_path / f"run-{STARTED}.json") == ["old"]


def test_runs_that_end_together_lose_nothing(tmp_path: Path) -> None:
    with ThreadPoolExecutor(12) as pool:
        runs = list(pool.map(lambda number: run(tmp_path, str(number)), range(60)))
    assert {run.problem for run in runs} == {""}
    assert sorted(int(inputs(path)[0]) for path in tmp_path.glob("*.json")) == list(range(60))
    assert len(everything(tmp_path)) == 60


def test_the_lines_of_a_killed_run_become_its_record(tmp_path: Path) -> None:
    run(tmp_path, "before")
    left = killed(tmp_path, "a", "b")
    with left.lines.open("a") as lines:
        lines.write('{"input": "torn')
    (tmp_path / "sub").mkdir()
    mine, other = hidden(tmp_path / "sub" / "x.tif", left.owner, ".part.tif"), tmp_path / ".cellspan.other.1.part.tif"
    mine.touch()
    other.touch()
    (tmp_path / ".x.part.tif").touch()
    assert keep_killed_runs(tmp_path) == 1
    assert inputs(tmp_path / f"run-{STARTED}.json") == ["a", "b"]
    assert json.loads((tmp_path / f"run-{STARTED}.json").read_text())["ended"] == "killed"
    assert inputs(tmp_path / "run.json") == ["before"]
    assert everything(tmp_path) == {"run.json", f"run-{STARTED}.json", "sub", other.name, ".x.part.tif"}
    assert everything(tmp_path / "sub") == set()


@pytest.mark.parametrize("content", [b"", b'{"started": "2026', b"\0" * 600])
def test_a_run_that_was_killed_before_its_first_image_leaves_nothing(tmp_path: Path, content: bytes) -> None:
    killed(tmp_path).lines.write_bytes(content)
    assert keep_killed_runs(tmp_path) == 0
    assert everything(tmp_path) == set()


def test_a_run_that_goes_on_is_left_alone(tmp_path: Path) -> None:
    with RunRecord(tmp_path, ABOUT) as record:
        record.add({"input": "a"})
        part = hidden(tmp_path / "x.tif", record.owner, ".part.tif")
        part.touch()
        run(tmp_path, "other")
        assert keep_killed_runs(tmp_path) == 0
        assert part.exists()
        record.add({"input": "b"})
        record.finish("finished")
    assert inputs(tmp_path / "run.json") == ["a", "b"]
    assert inputs(tmp_path / f"run-{STARTED}.json") == ["other"]


def no_locks(self: FileLock, timeout: float | None = None) -> None:
    raise NotImplementedError("FileSystem does not appear to support flock")


def test_without_locks_the_process_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileLock, "acquire", no_locks)
    with RunRecord(tmp_path, ABOUT) as record:
        record.add({"input": "a"})
    assert keep_killed_runs(tmp_path) == 0, "this process lives"
    about, line = map(json.loads, record.lines.read_text().splitlines())
    for host, kept in (("elsewhere", 0), (platform.node(), 1)):
        about["process"] = {"host": host, "pid": os.getpid(), "since": 1.0}
        record.lines.write_text(f"{json.dumps(about)}\n{json.dumps(line)}\n")
        assert keep_killed_runs(tmp_path) == kept
    run(tmp_path, "b")
    assert everything(tmp_path) == {"run.json", f"run-{STARTED}.json"}


class Disk:
    """A file on a disk that takes so many bytes more."""

    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room = file, room

    def write(self, data: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = self.file.write(data[: self.room])
        self.room -= taken
        return int(taken)

    def close(self) -> None:
        self.file.close()


def test_a_disk_that_is_full_for_a_while_costs_no_line(tmp_path: Path) -> None:
    with RunRecord(tmp_path, ABOUT) as record:
        disk = Disk(record._file, 25)
        record._file = disk  # type: ignore[assignment]
        record.add({"input": "a"})
        record.add({"input": "b"})
        record.add({"input": "c"})
        assert "No space left" in record.problem
        disk.room = 1000
        record.add({"input": "d"})
        assert not record.problem
        record.finish("finished")
    assert inputs(tmp_path / "run.json") == ["a", "b", "c", "d"]


def test_a_disk_that_stays_full_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunRecord(tmp_path, ABOUT) as record:
        record._file = Disk(record._file, 20)  # type: ignore[assignment]
        record.add({"input": "a"})
        record.add({"input": "b"})
        record.finish("finished")
    assert record.problem.endswith("the record of this run cannot be written (No space left on device).")
    with RunRecord(tmp_path, ABOUT) as record:
        record.add({"input": "c"})
        monkeypatch.setattr(run_record, "_publish", fail)
        record.finish("finished")
    assert "the next run does it" in record.problem
    assert not list(tmp_path.glob(".*.part.json"))


def fail(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_run_that_cannot_be_recorded_does_not_begin(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CellspanError, match=r"run\.json: the file cannot be written"):
        RunRecord(tmp_path / "file", ABOUT)
