"""Annotated images: pairs `<id>_img.*` and `<id>_masks.*`, brought to the model's mean diameter, with their flows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.files import IMAGE_SUFFIXES
from cellspan.core.flows import labels_to_flows
from cellspan.core.images import Floats, network_input, read_image, read_labels, resize
from cellspan.core.labels import Labels, as_labels, median_diameter, renumber, resize_labels
from cellspan.core.parameters import Parameters


@dataclass(frozen=True)
class Pair:
    """The files of one annotated image."""

    image: Path
    masks: Path

    @property
    def source(self) -> str:
        """Images of one source share a folder; a split folder (train, val) belongs to its parent."""
        folder = self.image.parent
        return folder.parent.name if folder.name in {"train", "val", "test"} else folder.name


@dataclass(frozen=True)
class Field:
    """One annotated image, ready for crops: everything at the resolution where objects have the mean diameter."""

    source: str
    image: Floats  # (2, Y, X), normalised
    labels: Labels  # (Y, X)
    flows: Floats  # (2, Y, X)
    diameter: float  # median, in pixels of the file


def licence(pair: Pair) -> str:
    """The line `Licence: ...` of a LICENSE* file beside the images or one folder up; 'unknown' without one."""
    for folder in (pair.image.parent, pair.image.parent.parent):
        for path in sorted(folder.glob("LICENSE*")):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                if line.lower().startswith(("licence:", "license:")):
                    return line.partition(":")[2].strip()
    return "unknown"


def find_pairs(folder: str | Path) -> list[Pair]:
    """All pairs below a folder, any depth, in alphabetical order; raises CellspanError if there are none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise CellspanError(f"{folder}: there is no such folder.")
    masks = {
        path.with_name(path.stem.removesuffix("_masks")): path
        for path in sorted(folder.rglob("*_masks.*"))
        if path.suffix.lower() in IMAGE_SUFFIXES
    }
    pairs = [
        Pair(path, masks[key])
        for path in sorted(folder.rglob("*_img.*"))
        if (key := path.with_name(path.stem.removesuffix("_img"))) in masks
    ]
    if not pairs:
        raise CellspanError(f"{folder}: no pairs named <id>_img.tif and <id>_masks.tif (or .png) were found.")
    return pairs


def read_pair(pair: Pair) -> tuple[Floats, Labels]:
    """The normalised image (2, Y, X) and its labels (Y, X); a second channel is taken as the nuclei."""
    image = read_image(pair.image)
    two = not image.is_rgb and len(image.channels) == 2
    parameters = Parameters(channel=0, nuclei_channel=1) if two else Parameters()
    labels = renumber(as_labels(read_labels(pair.masks)))
    if labels.shape != image.shape:
        raise CellspanError(f"{pair.masks}: its size {labels.shape} is not that of {pair.image.name} {image.shape}.")
    return network_input(image, parameters)[0], labels


def load_field(pair: Pair, mean_diameter: float) -> Field | None:
    """A pair at the resolution where its objects have `mean_diameter` pixels; None if it holds no object."""
    return field_at(pair.source, *read_pair(pair), mean_diameter)


def field_at(source: str, image: Floats, labels: Labels, mean_diameter: float) -> Field | None:
    """A normalised image (2, Y, X) and labels (Y, X) at the resolution where objects have `mean_diameter` pixels.

    None if there is no object.
    """
    diameter = median_diameter(labels)
    if diameter == 0:
        return None
    factor = mean_diameter / diameter
    height, width = (max(1, round(side * factor)) for side in labels.shape)
    scaled = resize_labels(labels, (height, width))
    return Field(source, resize(image, (height, width)), scaled, labels_to_flows(scaled), diameter)


def load_fields(pairs: Iterable[Pair], mean_diameter: float) -> list[Field]:
    """All pairs that hold objects."""
    fields = [field for pair in pairs if (field := load_field(pair, mean_diameter)) is not None]
    if not fields:
        raise CellspanError("None of the training images holds an annotated object.")
    return fields


def source_weights(fields: list[Field], balance: float = 0.5) -> NDArray[np.float64]:
    """Probability of each field: a source of n images counts n to the power of `balance`.

    With 0 all sources count the same, with 1 all images do; between them no source drowns the others.
    """
    _, index, counts = np.unique([field.source for field in fields], return_inverse=True, return_counts=True)
    weights = counts[index].astype(np.float64) ** (balance - 1)
    return weights / weights.sum()
