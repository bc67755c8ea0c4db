"""Which image ended the engine, and which ones were only there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cellspan.core.service.engine import Client, Engine
from cellspan.core.service.strikes import KEPT_SECONDS, Strikes

from .fakes import LONG, FakeModels, FakeSegmenter, until
from .test_jobs import submitted

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def dead() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


_unfinished: list[object] = []  # an engine that dies does not come to the end of its jobs


def begin(strikes: Strikes, key: str) -> None:
    """A job with this key runs, and never ends."""
    job = strikes.running(key, strikes.of(key))
    job.__enter__()
    _unfinished.append(job)


def died_with(folder: Path, pid: int, *keys: str) -> None:
    """An engine that ended while jobs with these keys ran."""
    strikes = Strikes(folder, pid)
    for key in keys:
        begin(strikes, key)


def test_a_job_that_ran_when_the_engine_died_has_a_strike_and_its_neighbours_have_none(
    tmp_path: Path, dead: int
) -> None:
    died_with(tmp_path, dead, "guilty")
    strikes = Strikes(tmp_path)
    assert (strikes.of("guilty"), strikes.of("queued"), strikes.of(None)) == (1, 0, 0)


def test_the_second_engine_that_dies_with_it_makes_two(tmp_path: Path, dead: int) -> None:
    died_with(tmp_path, dead, "guilty")
    died_with(tmp_path, dead, "guilty")
    assert Strikes(tmp_path).of("guilty") == 2


def test_a_job_that_comes_to_its_end_leaves_nothing(tmp_path: Path, dead: int) -> None:
    died_with(tmp_path, dead, "innocent")
    strikes = Strikes(tmp_path)
    with strikes.running("innocent", strikes.of("innocent")):
        assert strikes.of("innocent") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_gave_up_its_place_and_still_runs_jobs_does_not_strike_them(tmp_path: Path) -> None:
    older = Strikes(tmp_path, os.getppid())
    with older.running("innocent", 0):
        assert Strikes(tmp_path).of("innocent") == 0
    assert list(tmp_path.iterdir()) == []


def test_an_engine_with_the_number_of_the_one_that_died_counts_all_the_same(tmp_path: Path) -> None:
    died_with(tmp_path, os.getpid(), "guilty")  # as in a container, where each engine is process 1
    assert Strikes(tmp_path).of("guilty") == 1


def test_an_engine_that_ends_with_jobs_forgives_its_own_only(tmp_path: Path) -> None:
    died_with(tmp_path, os.getppid(), "other")
    strikes = Strikes(tmp_path)
    begin(strikes, "mine")
    strikes.forgive()
    assert [path.name.split(".")[2] for path in tmp_path.iterdir()] == [str(os.getppid())]


def test_old_marks_are_removed_and_those_of_long_jobs_are_not_old(tmp_path: Path, dead: int) -> None:
    long_ago = time.time() - KEPT_SECONDS - 60
    died_with(tmp_path, dead, "long")
    (mark,) = tmp_path.iterdir()
    os.utime(mark, (long_ago, long_ago))  # it began then, and ran until now
    assert Strikes(tmp_path).of("long") == 1
    (mark,) = tmp_path.iterdir()
    os.utime(mark, (long_ago, long_ago))
    assert Strikes(tmp_path).of("long") == 0
    assert list(tmp_path.iterdir()) == []


def test_other_files_in_the_folder_are_harmless(tmp_path: Path, dead: int) -> None:
    for name in ("a.b.c.running", "x.running", "1", ".running", "y.9.running"):
        (tmp_path / name).touch()
    (tmp_path / "folder.1").mkdir()
    died_with(tmp_path, dead, "guilty")
    assert Strikes(tmp_path).of("guilty") == 1


def test_a_folder_that_cannot_be_written_is_harmless(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    strikes = Strikes(tmp_path / "file" / "marks")
    with strikes.running("key", 0):
        assert strikes.of("key") == 0
    strikes.forgive()


def test_an_image_that_ended_two_engines_is_refused_by_name_and_its_neighbour_is_not(
    tmp_path: Path, dead: int, segmenter: FakeSegmenter
) -> None:
    marks = tmp_path / "marks"
    for _ in range(2):
        died_with(marks, dead, "guilty")
    engine = Engine(FakeModels(segmenter), marks=marks)
    try:
        guilty, neighbour = submitted(engine, "guilty"), submitted(engine, "neighbour")
        until(lambda: guilty.over and neighbour.over)
        assert (guilty.state, guilty.code, neighbour.state) == ("failed", "ends_the_engine", "done")
        assert "crashed the engine 2 times" in guilty.message
        assert engine.uploads.used("memory") == 0
        assert submitted(engine, "guilty") is guilty
    finally:
        engine.stop()
        assert engine.join(LONG)


def test_an_image_with_one_strike_runs_alone_and_is_forgiven_when_it_ends(
    tmp_path: Path, dead: int, segmenter: FakeSegmenter
) -> None:
    marks = tmp_path / "marks"
    died_with(marks, dead, "suspect")
    segmenter.gate.clear()
    engine = Engine(FakeModels(segmenter), marks=marks)
    try:
        suspect = submitted(engine, "suspect")
        until(lambda: suspect.state == "running")
        others = [submitted(engine, client=Client(name)) for name in "bcd"]
        urgent = submitted(engine, client=Client("fiji", interactive=True))
        seen = segmenter.going_on
        until(lambda: segmenter.going_on > seen + 5)
        assert [job.state for job in (*others, urgent)] == ["queued"] * 4
        segmenter.gate.set()
        until(lambda: all(job.over for job in (suspect, urgent, *others)))
        assert list(marks.iterdir()) == []
    finally:
        segmenter.gate.set()
        engine.stop()
        assert engine.join(LONG)


def test_threads_that_do_not_end_are_no_strike_for_their_jobs(tmp_path: Path, segmenter: FakeSegmenter) -> None:
    segmenter.gate.clear()
    engine = Engine(FakeModels(segmenter), marks=tmp_path / "marks")
    submitted(engine, "innocent")
    until(lambda: segmenter.begun)
    engine.stop()
    assert not engine.join(0.05)
    assert list((tmp_path / "marks").iterdir()) == []
    segmenter.gate.set()
    assert engine.join(LONG)
