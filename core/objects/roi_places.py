"""Which plane of a stack an ImageJ outline (ROI) belongs to, and what it is called: one rule for every program.

macros/places.groovy holds the same rule for ImageJ's scripts; both are tested with the cases of tests/roi_places.csv.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from cellspan.core.errors import CellspanError

if TYPE_CHECKING:
    from roifile import ImagejRoi

DIGITS = 4  # of a number in a name, at least; names of one length sort in the order of their numbers


class Place(NamedTuple):
    """The slice and the frame of an outline, counted from 1; 0 = every one."""

    slice: int = 1
    frame: int = 1


class Position(NamedTuple):
    """The four numbers that ImageJ stores with an outline, counted from 1; 0 = not set.

    Plain stacks use `plane`, the number of the plane in the whole stack. Hyperstacks use the other three. An outline
    with the wrong kind shows on every plane or on none.
    """

    plane: int = 0
    channel: int = 0
    slice: int = 0
    frame: int = 0


@dataclass(frozen=True)
class Stack:
    """The dimensions of a stack in ImageJ. In the order of its planes the channel changes fastest, then the slice."""

    slices: int = 1
    frames: int = 1
    channels: int = 1
    is_hyperstack: bool = False

    def position(self, place: Place) -> Position:
        """How ImageJ binds an outline to one slice and one frame, and to all channels."""
        if self.slices * self.frames == 1:
            return Position()
        if self.is_hyperstack:
            return Position(0, 0, place.slice if self.slices > 1 else 0, place.frame if self.frames > 1 else 0)
        return Position(((place.frame - 1) * self.slices + place.slice - 1) * self.channels + 1)

    def place(self, position: Position) -> Place:
        """Where an outline with this position belongs; the numbers may lie beyond the stack."""
        if self.slices * self.frames == 1:
            return Place()
        if position.channel or position.slice or position.frame:
            only_slice, only_frame = int(self.slices == 1), int(self.frames == 1)
            return Place(position.slice or only_slice, position.frame or only_frame)
        if position.plane:
            plane = (position.plane - 1) // self.channels
            return Place(plane % self.slices + 1, plane // self.slices + 1)
        return Place(int(self.slices == 1), int(self.frames == 1))

    def name(self, number: int, place: Place, digits: int = DIGITS) -> str:
        """What an object is called: 0002-0003-0012 for frame 2, slice 3, object 12.

        Frame and slice are left out where the stack has only one.
        """
        planes = ([place.frame] if self.frames > 1 else []) + ([place.slice] if self.slices > 1 else [])
        return "".join(f"{plane:0{DIGITS}d}-" for plane in planes) + f"{number:0{digits}d}"

    def named(self, name: str) -> tuple[int, Place]:
        """The object and its place that `name` stands for; raises CellspanError for names of another form."""
        parts = name.split("-")
        if len(parts) != 1 + (self.slices > 1) + (self.frames > 1) or not all(part.isdecimal() for part in parts):
            raise CellspanError(f"The outline '{name}' is not named by frame, slice and number of an object.")
        numbers = [int(part) for part in parts]
        number = numbers.pop()
        plane = numbers.pop() if self.slices > 1 else 1
        return number, Place(plane, numbers.pop() if self.frames > 1 else 1)


def digits_for(largest: int) -> int:
    """How many digits the numbers of objects have in names, if `largest` is the largest of them."""
    return max(DIGITS, len(str(largest)))


def bind(roi: ImagejRoi, position: Position) -> None:
    """Store a position in an outline."""
    roi.position, roi.c_position, roi.z_position, roi.t_position = position


def position_of(roi: ImagejRoi) -> Position:
    """The position that is stored in an outline."""
    return Position(roi.position, roi.c_position, roi.z_position, roi.t_position)
