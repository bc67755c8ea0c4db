"""The tensors of Cellpose 4's network by name and shape, without torch, to check checkpoints.

Pachitariu, Rariden & Stringer 2025 (Cellpose-SAM, doi 10.1101/2025.04.28.651001): the image encoder of Segment Anything
(Kirillov et al. 2023; Li et al. 2022, ViTDet) with smaller patches and global attention in every block, and a layer
that makes the outputs of all pixels of a patch from its token. The sizes are read off the checkpoint: in `cpsam` and
`cpsam_v2`, patches of 8 x 8 pixels, 32 x 32 of them in a tile, 24 blocks of 1024 numbers, 304.6 million weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cellspan.core.models.architecture import DIAMETERS, OUTPUTS, Shapes, weight_count

UNFOLDING = "W2"  # fixed: puts the numbers of a token at its pixels
PATCHES = "encoder.patch_embed.proj"
POSITIONS = "encoder.pos_embed"
MOST_BLOCKS, MOST_ROWS = 100, 4096  # far more than any real network has


class Transformer(BaseModel):
    """The sizes of a network."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: int = Field(ge=1, le=8, description="of the image, at most; those that it lacks are 0")
    outputs: int = Field(ge=OUTPUTS, le=64, description="the last are y flow, x flow and probability, others classes")
    patch: int = Field(ge=1, le=64, description="pixels along the side of the square that becomes one token")
    side: int = Field(ge=1, le=128, description="tokens along the side of a tile")
    width: int = Field(ge=1, le=8192, description="numbers in a token")
    head: int = Field(ge=1, le=8192, description="numbers in a token that one head of attention compares")
    hidden: int = Field(ge=1, le=65536, description="numbers in a token between the two layers after attention")
    neck: int = Field(ge=1, le=8192, description="numbers in a token after the last block")
    rows: tuple[Annotated[int, Field(ge=1, le=MOST_ROWS)], ...] = Field(
        min_length=1, max_length=MOST_BLOCKS, description="of each block's tables of relative positions"
    )

    @model_validator(mode="after")
    def _whole_heads(self) -> Transformer:
        if self.width % self.head:
            raise ValueError(f"tokens of {self.width} numbers cannot be shared among heads of {self.head}")
        return self

    @classmethod
    def of(cls, shapes: Mapping[str, tuple[int, ...]]) -> Transformer | None:
        """The network with these tensors; None if they are not those of such a network."""
        try:
            width, channels, patch, _ = shapes[f"{PATCHES}.weight"]
            rows: list[int] = []
            while (table := f"encoder.blocks.{len(rows)}.attn.rel_pos_h") in shapes:
                rows.append(shapes[table][0])
            return cls(
                channels=channels,
                outputs=shapes[UNFOLDING][1],
                patch=patch,
                side=shapes[POSITIONS][1],
                width=width,
                head=shapes["encoder.blocks.0.attn.rel_pos_h"][1],
                hidden=shapes["encoder.blocks.0.mlp.lin1.bias"][0],
                neck=shapes["out.weight"][1],
                rows=tuple(rows),
            )
        except (KeyError, IndexError, ValueError, ValidationError):
            return None

    @property
    def tile(self) -> int:
        """Pixels along the side of the only tiles that the network takes."""
        return self.side * self.patch

    @property
    def heads(self) -> int:
        """Heads of attention in each block."""
        return self.width // self.head

    @property
    def style_length(self) -> int:
        """There is no style."""
        return 0

    @property
    def shapes(self) -> Shapes:
        """Name -> shape of every tensor."""
        width, neck, of_patch = self.width, self.neck, self.outputs * self.patch**2
        shapes: Shapes = {
            **dict.fromkeys(DIAMETERS, (1,)),
            UNFOLDING: (of_patch, self.outputs, self.patch, self.patch),
            POSITIONS: (1, self.side, self.side, width),
            f"{PATCHES}.weight": (width, self.channels, self.patch, self.patch),
            f"{PATCHES}.bias": (width,),
        }
        for number, rows in enumerate(self.rows):
            shapes |= self._block(f"encoder.blocks.{number}", rows)
        return shapes | {
            "encoder.neck.0.weight": (neck, width, 1, 1),
            **_scaled("encoder.neck.1", neck),
            "encoder.neck.2.weight": (neck, neck, 3, 3),
            **_scaled("encoder.neck.3", neck),
            "out.weight": (of_patch, neck, 1, 1),
            "out.bias": (of_patch,),
        }

    def _block(self, name: str, rows: int) -> Shapes:
        width, hidden = self.width, self.hidden
        return {
            **_scaled(f"{name}.norm1", width),
            f"{name}.attn.rel_pos_h": (rows, self.head),
            f"{name}.attn.rel_pos_w": (rows, self.head),
            **_linear(f"{name}.attn.qkv", width, 3 * width),
            **_linear(f"{name}.attn.proj", width, width),
            **_scaled(f"{name}.norm2", width),
            **_linear(f"{name}.mlp.lin1", width, hidden),
            **_linear(f"{name}.mlp.lin2", hidden, width),
        }

    @property
    def memory(self) -> int:
        """Bytes that it takes at most: as read, then the predictor's own, and 0.1 GB for one tile."""
        return 10 * weight_count(self.shapes)

    def problem(self, name: str, array: NDArray[Any]) -> str:
        """What is wrong with the numbers of a tensor, as the end of a sentence; empty if nothing is."""
        if name == UNFOLDING and not np.array_equal(array.reshape(len(array), -1), np.eye(len(array))):
            return "does not put each number of a token at a pixel of its own, as it does in Cellpose 4"
        return ""

    @property
    def operations(self) -> float:
        """Additions and multiplications for one tile."""
        tokens = self.side**2
        # Per token and block: four linear layers, then what is compared with every token and gathered from it.
        layers = 4 * self.width**2 + 2 * self.width * self.hidden
        attention = 2 * tokens * self.width
        ends = self.width * self.channels * self.patch**2 + self.neck * self.width + 9 * self.neck**2
        return 2.0 * tokens * (len(self.rows) * (layers + attention) + ends)

    def __str__(self) -> str:
        """The network in words, for sentences."""
        return f"a network of Cellpose 4 with {len(self.rows)} blocks of {self.width} numbers"


def relative_positions(table: NDArray[Any], side: int) -> NDArray[np.float32]:
    """A block's table (rows, head) for tokens that lie 1 - side to side - 1 apart: (2 side - 1, head).

    Tables of another length are interpolated linearly, the ends being those of the table's outermost rows.
    """
    wanted = 2 * side - 1
    table = np.asarray(table, np.float32)
    if len(table) == wanted:
        return table
    places = np.clip((np.arange(wanted, dtype=np.float32) + 0.5) * np.float32(len(table) / wanted) - 0.5, 0, None)
    below = np.minimum(places.astype(np.int64), len(table) - 1)
    above = np.minimum(below + 1, len(table) - 1)
    part = (places - below)[:, None]
    return np.asarray(table[below] * (1 - part) + table[above] * part, np.float32)


def _scaled(name: str, width: int) -> Shapes:
    """A normalisation of `width` numbers with their factors and offsets."""
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _linear(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def unfolding(outputs: int, patch: int) -> NDArray[np.float32]:
    """The fixed tensor W2 of a checkpoint: token number k belongs to pixel k of its output's patch."""
    count = outputs * patch**2
    return np.eye(count, dtype=np.float32).reshape(count, outputs, patch, patch)
