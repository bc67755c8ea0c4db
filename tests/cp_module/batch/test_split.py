"""Ranges hold every image set once, keep groups whole and are small enough that a crash costs little."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellspan.cp_module.batch.split import MOST_SETS, Range, around, named, remaining, split, units_of, usual_size

pytestmark = pytest.mark.quick


@st.composite
def grouped_sets(draw: st.DrawFn) -> list[Range]:
    """Image sets 1 to n as consecutive units: groups of different sizes, or single sets."""
    sizes = draw(st.lists(st.integers(1, 9), min_size=1, max_size=30))
    units, first = [], 1
    for size in sizes:
        units.append(Range(first, first + size - 1))
        first += size
    return units


def numbers(ranges: list[Range]) -> list[int]:
    return [number for span in ranges for number in span.numbers]


@given(grouped_sets(), st.integers(1, 60))
def test_every_set_is_in_one_range_and_every_group_stays_whole(units: list[Range], size: int) -> None:
    ranges = split(units, size)
    assert numbers(ranges) == numbers(units)
    assert all(any(unit.first in span and unit.last in span for span in ranges) for unit in units)
    assert all(span.count <= size or span in units for span in ranges), "only a group may be larger"


@given(grouped_sets(), st.integers(1, 60), st.data())
def test_what_is_left_after_some_ranges_is_what_they_do_not_hold(
    units: list[Range], size: int, data: st.DataObject
) -> None:
    done = data.draw(st.lists(st.sampled_from(split(units, size)), unique=True))
    left = split(remaining(units, done), size)
    assert sorted(numbers(done) + numbers(left)) == numbers(units)


@given(grouped_sets(), st.integers(1, 60), st.data())
def test_around_a_culprit_nothing_is_lost(units: list[Range], size: int, data: st.DataObject) -> None:
    span = data.draw(st.sampled_from(split(units, size)))
    culprit = data.draw(st.sampled_from(list(span.numbers)))
    before, unit, after = around(span, culprit, units)
    assert culprit in unit
    assert unit in units
    assert numbers([part for part in (before, unit, after) if part]) == list(span.numbers)


@given(st.integers(1, 100_000), st.integers(1, 200))
def test_a_range_is_never_longer_than_a_crash_may_cost(sets: int, workers: int) -> None:
    size = usual_size(sets, workers)
    assert 1 <= size <= MOST_SETS
    assert size * workers >= min(sets / 2, MOST_SETS * workers), "every worker has something to do, but not too often"


def test_few_sets_are_shared_among_all_workers() -> None:
    assert usual_size(8, 2) == 2
    assert usual_size(3, 8) == 1


def test_groups_that_lie_between_each_other_are_done_together() -> None:
    assert units_of([[1, 3, 5], [2, 4, 6], [7, 8], []]) == [Range(1, 6), Range(7, 8)]
    assert units_of([[9], [7, 8], [1, 2]]) == [Range(1, 2), Range(7, 8), Range(9, 9)]


@given(st.integers(1, 999_999), st.integers(0, 500))
def test_the_name_of_a_range_says_which_it_is(first: int, more: int) -> None:
    span = Range(first, first + more)
    assert named(span.name) == span


def test_names_sort_as_the_sets_do() -> None:
    ranges = [Range(1, 9), Range(10, 99), Range(100, 2000)]
    assert sorted(span.name for span in ranges) == [span.name for span in ranges]


def test_people_read_one_set_or_several() -> None:
    assert str(Range(4, 4)) == "image set 4"
    assert str(Range(4, 6)) == "image sets 4 to 6"
