"""How each kind of network is trained: its optimiser's numbers, its crops, and the device that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cellspan.core.errors import CellspanError
from cellspan.core.models.kinds import KindName


@dataclass(frozen=True)
class Rules:
    """What the trainings of one kind have in common."""

    recipe: Mapping[str, Any] = field(default_factory=dict)  # options that differ from those of a recipe, unless given
    knows_sizes: bool = True  # images are rescaled to the mean diameter, and a size model is learnt from the style
    gentle: bool = False  # crops are only turned, mirrored and scaled a little
    on_card_only: bool = False


RULES: dict[KindName, Rules] = {
    "flow-cnn": Rules(),
    # As Cellpose 4 fine-tunes its network (Pachitariu, Rariden & Stringer 2025).
    "flow-sam": Rules(
        recipe={
            "widths": (),
            "batch": 1,
            "learning_rate": 1e-5,
            "weight_decay": 0.1,
            "drop_nuclei": 0.0,
        },
        knows_sizes=False,
        gentle=True,
        on_card_only=True,
    ),
}


def require_card(kind: KindName, device: str) -> None:
    """Raise CellspanError if networks of this kind are not trained on this device."""
    if RULES[kind].on_card_only and device == "cpu":
        raise CellspanError(
            "Models of Cellpose 4 are fine-tuned on a graphics card only, because a processor needs about a minute for "
            "each of thousands of steps: use a computer with a card, or start from cyto or nuclei (--from cyto)."
        )
