"""The kinds of models: by which tensors each is known, and the rules by which its network sees an image.

A new kind is one entry in KINDS; what reads checkpoints, lists models and runs networks asks it here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from cellspan.core.models.architecture import RESTORED, Convolutional, Shapes
from cellspan.core.models.transformer import Transformer

KindName = Literal["flow-cnn", "flow-sam", "restoration"]
# Black pixels around the image, as in training: without them, objects at the border look cut by a tile, and with mirror
# images instead they look whole; either way their flows lead out of the image.
MARGIN = 16


class Layout(Protocol):
    """The sizes of one network."""

    @property
    def channels(self) -> int:
        """Of the image, at most."""
        ...

    @property
    def style_length(self) -> int:
        """Numbers in the style of an image; 0 = the network needs none."""
        ...

    @property
    def tile(self) -> int | None:
        """Pixels along the side of the only tiles that it takes; None = any."""
        ...

    @property
    def shapes(self) -> Shapes:
        """Name -> shape of every tensor."""
        ...

    @property
    def memory(self) -> int:
        """Bytes that it takes at most while it is read and made ready."""
        ...

    def problem(self, name: str, array: NDArray[Any]) -> str:
        """What is wrong with the numbers of a tensor, as the end of a sentence; empty if nothing is."""
        ...


@dataclass(frozen=True)
class Kind:
    """What all models of one kind have in common."""

    name: KindName
    network: str  # in words, for people
    layout_of: Callable[[Mapping[str, tuple[int, ...]]], Layout | None]
    margin: int = MARGIN  # black pixels around an image
    # Sides of tiles are multiples of so many pixels, the image lies in their middle, and the style is that of whole
    # tiles, black pixels included, as in training; None = the style is that of the image, wherever it lies.
    centred: int | None = None
    apart: bool = False  # channels go into the network as they are, else those to segment are combined into one
    any_size: bool = False  # it knows objects of all sizes, so without a diameter images are not resized
    wants_graphics_card: bool = False  # on a processor it takes minutes
    restores: bool = False  # its output is an image, not flows


def _finding(shapes: Mapping[str, tuple[int, ...]]) -> Convolutional | None:
    found = Convolutional.of(shapes)
    return found if found is not None and found.outputs != RESTORED else None


def _restoring(shapes: Mapping[str, tuple[int, ...]]) -> Convolutional | None:
    found = Convolutional.of(shapes)
    return found if found is not None and found.outputs == found.channels == RESTORED else None


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("flow-cnn", "convolutional network (Cellpose 1 to 3)", _finding),
        Kind(
            "restoration", "network that restores images (Cellpose 3)", _restoring, margin=8, centred=16, restores=True
        ),
        Kind(
            "flow-sam",
            "transformer (Cellpose 4)",
            Transformer.of,
            margin=8,
            apart=True,
            any_size=True,
            wants_graphics_card=True,
        ),
    )
}


def recognised(shapes: Mapping[str, tuple[int, ...]]) -> tuple[Kind, Layout] | None:
    """The kind and the sizes of the network with these tensors; None if it is of no kind."""
    layouts = ((kind, kind.layout_of(shapes)) for kind in KINDS.values())
    return next(((kind, layout) for kind, layout in layouts if layout is not None), None)
