"""Divides the image sets into ranges, each for one CellProfiler process."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MOST_SETS = 50  # per range, so that a crash costs no more
RANGES_PER_WORKER = 2  # so that all workers end at about the same time


@dataclass(frozen=True, order=True)
class Range:
    """The image sets `first` to `last` (inclusive), numbered from 1 as in CellProfiler."""

    first: int
    last: int

    @property
    def name(self) -> str:
        """Sorts in the order of the sets."""
        return f"{self.first:06d}-{self.last:06d}"

    @property
    def count(self) -> int:
        """Number of sets."""
        return self.last - self.first + 1

    @property
    def numbers(self) -> range:
        """The numbers of the sets."""
        return range(self.first, self.last + 1)

    def __contains__(self, number: int) -> bool:
        """Whether a set is in the range."""
        return self.first <= number <= self.last

    def __str__(self) -> str:
        """In words."""
        return f"image set {self.first}" if self.count == 1 else f"image sets {self.first} to {self.last}"


def named(name: str) -> Range:
    """The range of this name; raises ValueError."""
    first, last = name.split("-")
    return Range(int(first), int(last))


def units_of(groups: Sequence[Sequence[int]]) -> list[Range]:
    """Each group as a range that must not be divided; groups with interleaved numbers become one."""
    spans = sorted(Range(min(group), max(group)) for group in groups if group)
    units: list[Range] = []
    for span in spans:
        if units and span.first <= units[-1].last:
            units[-1] = Range(units[-1].first, max(units[-1].last, span.last))
        else:
            units.append(span)
    return units


def usual_size(sets: int, workers: int) -> int:
    """Sets per range: starting CellProfiler takes seconds, but a crash costs the range."""
    return max(1, min(MOST_SETS, math.ceil(sets / (RANGES_PER_WORKER * workers))))


def split(units: Iterable[Range], size: int) -> list[Range]:
    """Join neighbouring units into ranges of about `size` sets."""
    ranges: list[Range] = []
    for unit in sorted(units):
        before = ranges[-1] if ranges else None
        if before and before.last + 1 == unit.first and before.count + unit.count <= size:
            ranges[-1] = Range(before.first, unit.last)
        else:
            ranges.append(unit)
    return ranges


def remaining(units: Iterable[Range], done: Iterable[Range]) -> list[Range]:
    """The units without a set in any finished range."""
    finished = {number for span in done for number in span.numbers}
    return [unit for unit in units if not finished.intersection(unit.numbers)]


def around(span: Range, culprit: int, units: Sequence[Range]) -> tuple[Range | None, Range, Range | None]:
    """The rest of a range before the unit with the failed set, that unit, and the rest after it."""
    unit = next(unit for unit in units if culprit in unit)
    before = Range(span.first, unit.first - 1) if span.first < unit.first else None
    after = Range(unit.last + 1, span.last) if unit.last < span.last else None
    return before, unit, after
