"""Positions and names of outlines, by the table that the Groovy scripts are tested with too."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from roifile import ImagejRoi

from cellspan.core.errors import CellspanError
from cellspan.core.objects.roi_places import Place, Position, Stack, bind, digits_for, position_of

pytestmark = pytest.mark.quick

TABLE = Path(__file__).parents[2] / "roi_places.csv"
CASES = list(csv.DictReader(TABLE.read_text(encoding="ascii").splitlines()))
every_case = pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
to_imagej = pytest.mark.parametrize(
    "case", [case for case in CASES if case["way"] == "both"], ids=lambda case: case["case"]
)


def numbers(case: dict[str, str], *columns: str) -> list[int]:
    return [int(case[column]) for column in columns]


def stack_of(case: dict[str, str]) -> Stack:
    return Stack(*numbers(case, "slices", "frames", "channels"), case["hyperstack"] == "true")


def place_of(case: dict[str, str]) -> Place:
    return Place(*numbers(case, "slice", "frame"))


@to_imagej
def test_a_place_becomes_a_position_and_a_name(case: dict[str, str]) -> None:
    stack, place = stack_of(case), place_of(case)
    assert stack.position(place) == Position(*numbers(case, "plane", "c", "z", "t"))
    assert stack.name(int(case["object"]), place, digits_for(int(case["largest"]))) == case["name"]


@every_case
def test_a_stored_outline_has_a_place(case: dict[str, str]) -> None:
    roi = ImagejRoi.frompoints([[0, 0], [0, 3], [3, 0]])
    bind(roi, Position(*numbers(case, "plane", "c", "z", "t")))
    stored = ImagejRoi.frombytes(roi.tobytes())
    assert stack_of(case).place(position_of(stored)) == place_of(case)


@pytest.mark.parametrize("case", [case for case in CASES if case["name"]], ids=lambda case: case["case"])
def test_a_name_tells_object_and_place(case: dict[str, str]) -> None:
    assert stack_of(case).named(case["name"]) == (int(case["object"]), place_of(case))


@pytest.mark.parametrize("name", ["0001", "0001-0002-0003", "0001-cell", "", "0001--1"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(CellspanError, match="is not named by frame, slice and number"):
        Stack(slices=3).named(name)
