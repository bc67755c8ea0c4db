"""What the progress says is true: never more than there is, failures apart, a line a minute in a log."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellspan.cp_module.batch import progress as progressing
from cellspan.cp_module.batch.pipeline import LAST_MODULE
from cellspan.cp_module.batch.progress import BatchProgress, sets_underway
from cellspan.cp_module.batch.split import Range
from cellspan.cp_module.batch.task import LOG, attempts_folder

pytestmark = pytest.mark.quick


class Clock:
    """Stands for the time, which goes on when a test says so."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(progressing, "time", fake)
    return fake


def attempt(folder: Path, name: str, *completed: int) -> None:
    place = attempts_folder(folder) / name
    place.mkdir(parents=True)
    lines = [f"x: Image # {number}, module {LAST_MODULE} # 9: CPU_time = 0.1 secs" for number in completed]
    (place / LOG).write_text("\n".join(lines))


def test_what_two_attempts_completed_counts_once(tmp_path: Path) -> None:
    """The folder of a worker that was lost may still be there while its range is done again."""
    attempt(tmp_path, "000001-000004.aaaaaaaa", 1, 2, 3)
    attempt(tmp_path, "000001-000004.bbbbbbbb", 1, 2)
    attempt(tmp_path, "000005-000008.cccccccc", 5)
    assert sets_underway(tmp_path, [Range(1, 4), Range(5, 8)]) == 4


def test_what_is_left_of_a_range_that_does_not_run_does_not_count(tmp_path: Path) -> None:
    attempt(tmp_path, "000001-000004.aaaaaaaa", 1, 2, 3)
    assert sets_underway(tmp_path, [Range(5, 8)]) == 0


def test_never_more_than_there_is_and_no_time_below_zero(clock: Clock) -> None:
    with BatchProgress(16, 0) as shown:
        clock.now += 60
        shown.reach(20)
        assert shown.done == 16
        assert shown.pace() == "16.0 images/min, 00:00 left"


def test_failures_are_no_progress(clock: Clock) -> None:
    with BatchProgress(8, 0) as shown:
        clock.now += 60
        shown.reach(0, failed=3)
        assert shown.done == 0
        assert shown.pace() == "3 failed, no image set finished yet"
        shown.reach(2, failed=3)
        assert shown.pace() == "3 failed, 2.0 images/min, 01:30 left"


def test_a_log_gets_a_line_a_minute(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with BatchProgress(8, 0) as shown:
        for _ in range(180):
            clock.now += 1
            shown.reach(2)
    assert capsys.readouterr().err.splitlines() == [
        "[2/8] still running (2.0 images/min, 03:00 left)",
        "[2/8] still running (1.0 images/min, 06:00 left)",
        "[2/8] still running (0.7 images/min, 09:00 left)",
    ]
