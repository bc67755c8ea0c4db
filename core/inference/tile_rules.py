"""By which rules a network sees an image that is larger or smaller than what it takes."""

from __future__ import annotations

from dataclasses import dataclass

from cellspan.core.models.architecture import OUTPUTS, Convolutional
from cellspan.core.models.kinds import MARGIN
from cellspan.core.models.registry import ModelDescription


@dataclass(frozen=True)
class TileRules:
    """How a network sees an image that is larger or smaller than what it takes."""

    side: int | None = None  # pixels along the side of the only tiles that it takes; None = any
    margin: int = MARGIN  # black pixels around the image
    has_style: bool = True  # whether a style of the whole image goes with each tile
    centred: int | None = None  # see `Kind.centred`
    outputs: int = OUTPUTS

    def margin_of(self, length: int) -> int:
        """The margin along an axis of so many pixels: less than usual where the image then fits into one tile."""
        fits = self.side is not None and length <= self.side
        return min(self.margin, (self.side - length) // 2) if fits and self.side else self.margin

    @classmethod
    def of(cls, about: ModelDescription) -> TileRules:
        """The rules of a model."""
        layout, kind = about.layout, about.rules
        outputs = layout.outputs if isinstance(layout, Convolutional) else OUTPUTS
        return cls(layout.tile, kind.margin, layout.style_length > 0, kind.centred, outputs)
