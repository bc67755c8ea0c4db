"""The channels that the network sees of a plane, and parts of them in which a diameter can be measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Floats, Mask

FEWER = 2  # the windows must have this many times fewer pixels than the image


@dataclass(frozen=True)
class Pixels:
    """What the network sees of one image, before resizing: (C, Y, X)."""

    planes: Floats
    parameters: Parameters
    mask: Mask | None = None  # (Y, X) of the image: where objects may lie; None = everywhere
    image: tuple[int, int] | None = None  # height and width of the image; None = those of the planes

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the image."""
        return self.image or (self.planes.shape[1], self.planes.shape[2])

    def is_flat(self, channels: int = 1) -> bool:
        """Whether there is nothing to see in the first channels, which are not only there to help."""
        return not any(np.ptp(plane) > 0 for plane in self.planes[:channels])

    def windows(self, side: float) -> list[Pixels]:
        """Four parts of this side in pixels, for measuring; none if the image is too small for that to save time."""
        height, width = self.shape
        if height * width < FEWER * 4 * side**2 or min(height, width) < 2 * side:
            return []
        corners = [
            (round((k + 0.5) * height / 2 - side / 2), round((m + 0.5) * width / 2 - side / 2))
            for k in (0, 1)
            for m in (0, 1)
        ]
        return [self._part(y, x, side) for y, x in corners]

    def looked_at(self) -> Pixels:
        """The part of the image that holds the mask, or all of it."""
        if self.mask is None:
            return self
        y, x = (np.flatnonzero(self.mask.any(axis=axis)) for axis in (1, 0))
        return self._box(slice(y[0], y[-1] + 1), slice(x[0], x[-1] + 1))

    def middle(self, side: float) -> Pixels:
        """The middle of the image, at most `side` pixels high and wide."""
        y, x = (max(0, round((length - side) / 2)) for length in self.shape)
        return self._part(y, x, max(1, side))

    def _part(self, y: int, x: int, side: float) -> Pixels:
        return self._box(slice(y, y + round(side)), slice(x, x + round(side)))

    def _box(self, y: slice, x: slice) -> Pixels:
        mask = None if self.mask is None else self.mask[y, x]
        return Pixels(np.ascontiguousarray(self.planes[:, y, x]), self.parameters, mask)
