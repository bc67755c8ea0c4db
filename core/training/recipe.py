"""All options of a training, saved with the model so that it can be resumed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import write_json
from cellspan.core.models.architecture import CHANNELS
from cellspan.core.models.kinds import KindName
from cellspan.core.models.network import COMPACT_WIDTHS
from cellspan.core.models.registry import Model
from cellspan.core.models.transformer import Transformer
from cellspan.core.training.rules import RULES

FILE = "recipe.json"  # in the training folder


@dataclass(frozen=True)
class Recipe:
    """All options of a training."""

    name: str
    objects: str = "objects"
    widths: tuple[int, ...] = COMPACT_WIDTHS
    mean_diameter: float = 20.0
    minutes: float | None = None
    epochs: int | None = None
    batch: int = 8
    crop: int = 160
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    seed: int = 0
    simulated: float = 0.0  # fraction of simulated crops
    looks: tuple[str, ...] = ()  # of simulated fields; () = all
    textures: str = ""  # folder of unannotated images whose noise and background go into simulated fields; "" = none
    invert: float = 0.0  # probability of inverting a crop
    drop_nuclei: float = 0.3  # probability of dropping a crop's channel of nuclei
    balance: float = 0.5  # a source of n images has weight n to this power
    split: bool = False  # treat pieces of black and white masks as objects
    kind: KindName = "flow-cnn"  # of the network
    transformer: dict[str, Any] | None = None  # its sizes, if it is one
    processes: int = 1  # that cut crops and simulate fields; each has its own part of the simulated fields

    @property
    def sizes(self) -> Transformer | None:
        """Of the transformer, if the network is one."""
        return None if self.transformer is None else Transformer.model_validate(self.transformer)

    @property
    def apart(self) -> int | None:
        """How many channels of an image the network sees each by itself, as of `network_input`."""
        return None if self.sizes is None else self.sizes.channels

    @classmethod
    def fine_tuning(cls, start: Model, **changes: Any) -> Recipe:
        """A recipe for a network like that of `start`, with `changes` such as name and minutes.

        Raises CellspanError if its network sees other channels than those of training images, or cannot be trained so.
        """
        about = start.description
        if about.transformer is not None:
            return cls._of_transformer(start, changes)
        if about.rules.restores or about.layout.channels != CHANNELS:
            raise CellspanError(
                f"{start.name}: this network has {about.layout.channels} input channel(s), and only those with "
                f"{CHANNELS} can be trained here; start from cyto or nuclei."
            )
        like = {"widths": about.widths, "mean_diameter": about.mean_diameter, "objects": about.objects}
        return cls(**{**like, **changes})

    @classmethod
    def _of_transformer(cls, start: Model, changes: dict[str, Any]) -> Recipe:
        about, sizes = start.description, start.description.transformer
        assert sizes is not None, "the caller looked"
        for option, why in (
            ("mean_diameter", "knows objects of any size"),
            ("simulated", "sees three channels, and simulated images have two"),
        ):
            if changes.get(option):
                raise CellspanError(f"{start.name} {why}; leave out --{option.replace('_', '-')}.")
        like = {
            **RULES["flow-sam"].recipe,
            "kind": about.kind,
            "transformer": sizes.model_dump(mode="json"),
            "crop": sizes.tile,
            "mean_diameter": about.mean_diameter,
            "objects": about.objects,
        }
        return cls(**{**like, **changes})

    def save(self, folder: Path) -> None:
        """Write it to the training folder."""
        write_json(folder / FILE, asdict(self))


def resumed_recipe(out: Path, changes: dict[str, Any]) -> Recipe:
    """The recipe of the training in `out`, with `changes` to budget or batch.

    Raises CellspanError if there is no training to resume.
    """
    path = out / "training" / FILE
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        if "minutes" in changes or "epochs" in changes:
            saved.update(minutes=None, epochs=None)
        lists = {name: tuple(saved[name]) for name in ("widths", "looks") if name in saved}
        return Recipe(**{**saved, **lists, **changes})
    except (OSError, ValueError, TypeError, KeyError):
        raise CellspanError(f"{out}: there is no training to resume.") from None
