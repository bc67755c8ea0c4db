"""The results of all ranges come together below the output folder, however often and in however many runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cellspan.cp_module.batch.merge import merge
from cellspan.cp_module.batch.split import Range
from cellspan.cp_module.batch.state import State
from cellspan.cp_module.batch.task import OUTPUT, attempts_folder, ranges_folder

pytestmark = pytest.mark.quick

Finish = Callable[..., Path]
HEADER = "ImageNumber\n"


def test_tables_are_joined_and_images_move(state: State, finish: Finish) -> None:
    finish(Range(4, 6), Image_csv=HEADER + "4\n5\n6\n", f_tiff="six")
    finish(Range(1, 3), Image_csv=HEADER + "1\n2\n3\n", a_tiff="one")
    state.done = [Range(4, 6), Range(1, 3)]
    assert merge(state) == []
    assert (state.output / "Image.csv").read_text() == HEADER + "1\n2\n3\n4\n5\n6\n"
    assert (state.output / "a.tiff").read_text() == "one"
    assert (state.output / "f.tiff").read_text() == "six"
    assert state.results == ["Image.csv", "a.tiff", "f.tiff"]


def test_merging_again_gives_the_same_and_forgets_nothing(state: State, finish: Finish) -> None:
    """A later run, which does the sets that failed before, lists the images of the earlier one too."""
    finish(Range(1, 3), Image_csv=HEADER + "1\n2\n3\n", a_tiff="one")
    state.done = [Range(1, 3)]
    merge(state)
    finish(Range(4, 4), Image_csv=HEADER + "4\n", d_tiff="four")
    later = State(state.output, state.plan, [Range(1, 3), Range(4, 4)])
    merge(later)
    assert later.results == ["Image.csv", "a.tiff", "d.tiff"]
    assert (state.output / "Image.csv").read_text() == HEADER + "1\n2\n3\n4\n"
    assert (state.output / "a.tiff").read_text() == "one"


def test_subfolders_stay(state: State, finish: Finish) -> None:
    folder = finish(Range(1, 3), Image_csv=HEADER)
    (folder / OUTPUT / "well A01").mkdir()
    (folder / OUTPUT / "well A01" / "a.tiff").write_text("pixels")
    state.done = [Range(1, 3)]
    merge(state)
    assert (state.output / "well A01" / "a.tiff").read_text() == "pixels"
    assert "well A01/a.tiff" in state.results


def test_settings_of_analyst_name_the_database_in_the_output_folder(state: State, finish: Finish) -> None:
    for span in (Range(1, 3), Range(4, 6)):
        output = attempts_folder(state.folder) / f"{span.name}.01234567" / OUTPUT
        folder = finish(span, Image_csv=HEADER)
        (folder / OUTPUT / "E.properties").write_text(f"db_sqlite_file = {output}/E.db\n")
        state.done.append(span)
    assert merge(state) == []
    assert (state.output / "E.properties").read_text() == f"db_sqlite_file = {state.output}/E.db\n"


def test_other_tables_that_are_alike_become_one(state: State, finish: Finish) -> None:
    finish(Range(1, 3), profile_csv="x,y\n1,2\n")
    finish(Range(4, 6), profile_csv="x,y\n1,2\n")
    state.done = [Range(1, 3), Range(4, 6)]
    assert merge(state) == []
    assert state.results == ["profile.csv"]


def test_other_tables_that_differ_are_all_kept_with_a_note(state: State, finish: Finish) -> None:
    finish(Range(1, 3), profile_csv="x,y\n1,2\n")
    finish(Range(4, 6), profile_csv="x,y\n3,4\n")
    state.done = [Range(1, 3), Range(4, 6)]
    (note,) = merge(state)
    assert note.startswith("profile.csv: ")
    assert state.results == ["profile_000001-000003.csv", "profile_000004-000006.csv"]
    assert (state.output / "profile_000004-000006.csv").read_text() == "x,y\n3,4\n"


def test_nothing_is_done_and_nothing_is_merged(state: State) -> None:
    assert merge(state) == []
    assert not ranges_folder(state.folder).exists()
