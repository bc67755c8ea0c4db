"""What the module noted on image sets is told at the end of a run, once for each kind of note."""

from __future__ import annotations

import pytest

from cellspan.cp_module.batch.notes import notes_of
from cellspan.cp_module.batch.split import Range
from cellspan.cp_module.batch.state import State
from cellspan.cp_module.batch.task import LOG

from .conftest import Finish
from .test_log import step

pytestmark = pytest.mark.quick


def test_notes_that_differ_in_numbers_are_one(state: State, finish: Finish) -> None:
    def small(diameter: float) -> str:
        return f"Note on Spots: The objects seem to be about {diameter} pixels wide."

    logs = {
        Range(1, 2): [small(6.4), step(1, "IdentifyObjectsByFlow"), small(5), step(2, "IdentifyObjectsByFlow")],
        Range(3, 4): [step(3, "IdentifyObjectsByFlow"), small(7.25), step(4, "IdentifyObjectsByFlow")],
        Range(5, 5): ["Note on Cells: The image is empty.", step(5, "IdentifyObjectsByFlow")],
        Range(6, 6): [step(6, "IdentifyObjectsByFlow")],
    }
    for span, lines in logs.items():
        folder = finish(span)
        (folder / LOG).write_text("\n".join(lines))
        state.done.append(span)
    assert notes_of(state) == [
        "Spots in image set 1 (1.tif) and 2 others: The objects seem to be about 6.4 pixels wide.",
        "Cells in image set 5 (5.tif): The image is empty.",
    ]


def test_where_nothing_is_done_nothing_is_noted(state: State) -> None:
    assert notes_of(state) == []
