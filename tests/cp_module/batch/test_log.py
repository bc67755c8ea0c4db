"""What CellProfiler's log tells: how far it came, in which image set it ended and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellspan.cp_module.batch.log import STARTED, Log, read_log
from cellspan.cp_module.batch.pipeline import LAST_MODULE

pytestmark = pytest.mark.quick

ERROR_IN_MODULE = """\
Error detected during run of module NamesAndTypes
Traceback (most recent call last):
  File "reader.py", line 12, in read
ValueError: cannot read
   the image
"""
KEEPS_GOING = "cellspan_plugin.client.EngineError: the engine ended.\n"


def step(number: int, module: str, position: int = 5) -> str:
    return (
        f"Thu Jan  1 10:00:00 2026: Image # {number}, module {module} # {position}: CPU_time = 0.10 secs, Wall_time = 0"
    )


def log(*lines: str) -> Log:
    return Log("\n".join([STARTED, *lines]) + "\n")


def test_a_set_is_complete_at_the_end_of_the_pipeline() -> None:
    text = log(step(3, "IdentifyObjectsByFlow"), step(3, LAST_MODULE), step(4, "IdentifyObjectsByFlow"))
    assert text.completed == {3}
    assert text.seen_in("IdentifyObjectsByFlow") == {3, 4}
    assert text.steps == [(3, "IdentifyObjectsByFlow"), (3, LAST_MODULE), (4, "IdentifyObjectsByFlow")]


def test_notes_belong_to_the_image_set_of_the_step_that_follows() -> None:
    text = log(
        step(3, "NamesAndTypes"),
        "Note on Cells: The image is empty.",
        "Note on Nuclei: Set the diameter to 6.4: it matters.",
        step(3, "IdentifyObjectsByFlow"),
        step(4, "NamesAndTypes"),
        step(4, "IdentifyObjectsByFlow"),
        "Note on Cells: The set did not come to its end.",
    )
    assert text.notes == [
        (3, "Cells", "The image is empty."),
        (3, "Nuclei", "Set the diameter to 6.4: it matters."),
    ]


@pytest.mark.parametrize(
    ("lines", "culprit"),
    [
        ([], 3),  # in the first module of the first set
        ([step(3, "NamesAndTypes")], 3),
        ([step(3, LAST_MODULE)], 4),
        ([step(3, LAST_MODULE), step(4, "NamesAndTypes")], 4),
        ([step(5, LAST_MODULE)], None),  # after all of them, for example where tables are written
    ],
)
def test_the_culprit_is_the_set_that_did_not_end(lines: list[str], culprit: int | None) -> None:
    assert log(*lines).culprit(range(3, 6)) == culprit


def test_nobody_is_the_culprit_before_the_first_set_began() -> None:
    assert Log("Cannot start Java\n").culprit(range(3, 6)) is None


def test_the_reason_is_the_last_error_and_its_module() -> None:
    assert Log(ERROR_IN_MODULE).reason() == "NamesAndTypes: ValueError: cannot read"
    assert Log(KEEPS_GOING).reason() == "cellspan_plugin.client.EngineError: the engine ended."
    assert Log("MemoryError\n").reason() == "MemoryError"
    assert log(step(3, LAST_MODULE)).reason() == ""


def test_modules_that_were_left_out_are_named() -> None:
    cut = Log("Could not find the IdentifyObjectsByFlow module\nFailed to load pipeline\n")
    assert cut.was_cut
    assert cut.reason() == "the module IdentifyObjectsByFlow is missing"
    assert not log().was_cut


def test_a_log_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    assert read_log(tmp_path / "cellprofiler.log").steps == []
    (tmp_path / "cellprofiler.log").write_bytes(step(1, "Crop").encode() + b"\n\xff\xfe broken")
    assert read_log(tmp_path / "cellprofiler.log").steps == [(1, "Crop")]
