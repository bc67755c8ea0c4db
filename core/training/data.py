"""Annotated images with their objects, rescaled to the model's mean diameter, with their flows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from cellspan.core.dynamics.flows import labels_to_flows
from cellspan.core.errors import CellspanError
from cellspan.core.models.sizing import LARGEST_ENLARGEMENT
from cellspan.core.objects.labels import Labels, as_labels, median_diameter, renumber, resize_labels
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Floats, Image
from cellspan.core.pictures.normalise import network_input
from cellspan.core.pictures.reading import read_image, read_labels
from cellspan.core.pictures.resizing import resize
from cellspan.core.pictures.seg_npy import is_seg, read_seg
from cellspan.core.training.pairs import Pair
from cellspan.core.training.roi_sets import read_annotation

FEWEST_OBJECTS = 5  # in all training images together
UNSURE = 65535  # in masks beside other numbers: nobody knows what is there, so nothing is learnt from it


@dataclass(frozen=True)
class Field:
    """One annotated image, ready for crops, rescaled so that objects have the mean diameter."""

    source: str
    image: Floats  # (C, Y, X), normalised; two channels unless the network sees others
    labels: Labels  # (Y, X)
    flows: Floats  # (2, Y, X)
    diameter: float  # median, in pixels of the file; 0 without objects
    channels: int = 1  # in the file; colour counts as one
    chosen: Parameters | None = None  # the channels that were chosen in Cellpose's window, if so
    pair: Pair | None = None  # its files; None for simulated fields
    unsure: NDArray[np.bool_] | None = None  # (Y, X), where nobody knows what is there


def read_pair(pair: Pair, split: bool = False) -> tuple[Floats, Labels]:
    """The normalised image (2, Y, X), see `channels_of`, and its labels (Y, X).

    `split` makes an object of each connected piece of a binary mask. Raises CellspanError for masks of a different
    size, and for binary masks without `split`.
    """
    image = read_image(pair.image, pair.series)
    return network_input(image, channels_of(pair, image))[0], labels_of(pair, image.shape, split)


def channels_of(pair: Pair, image: Image) -> Parameters:
    """The channels for training: those chosen in Cellpose's window, if any; else, of two, the second shows nuclei."""
    if (chosen := _chosen_in_cellpose(pair, len(image.channels))) is not None:
        return chosen
    two = not image.is_rgb and len(image.channels) == 2
    return Parameters(channel=0, nuclei_channel=1) if two else Parameters()


def _chosen_in_cellpose(pair: Pair, count: int) -> Parameters | None:
    """The channels in a `_seg.npy`, as far as the image has them; None if it names none, as for grey images."""
    if count < 2 or not is_seg(pair.masks):
        return None
    seg = read_seg(pair.masks)
    main, nuclei = (
        index if index is not None and index < count else None for index in (seg.channel, seg.nuclei_channel)
    )
    return None if main is None else Parameters(channel=main, nuclei_channel=nuclei)


def labels_of(pair: Pair, shape: tuple[int, int], split: bool = False) -> Labels:
    """The annotated objects of an image of `shape` (height, width), 1..n; raises as `read_pair` does."""
    return _annotation(pair, shape, split)[0]


def _annotation(pair: Pair, shape: tuple[int, int], split: bool = False) -> tuple[Labels, NDArray[np.bool_] | None]:
    """The annotated objects, and where nobody is sure, if masks say so."""
    if pair.is_outlined:
        return renumber(read_annotation(pair.masks, shape)), None
    numbers = as_labels(read_labels(pair.masks))
    if numbers.shape != shape:
        raise CellspanError(f"{pair.masks}: its size {numbers.shape} differs from that of {pair.image.name}, {shape}.")
    unsure = numbers == UNSURE
    # A black and white mask may have this number, too.
    if not unsure.any() or not (numbers[~unsure] > 0).any():
        return _objects(renumber(numbers), pair.masks, split), None
    return _objects(renumber(np.where(unsure, 0, numbers)), pair.masks, split), unsure


def _objects(labels: Labels, masks: Path, split: bool) -> Labels:
    """The labels, or the connected pieces of a binary mask."""
    if labels.max(initial=0) != 1:
        return labels
    pieces, count = label(labels > 0)
    if count > 1 and not split:
        raise CellspanError(
            f"{masks}: all its objects have the same number ({count} separate pieces), as in a black and white "
            "mask. Number the objects 1, 2, 3, ..., or add --split to treat each piece as an object."
        )
    return np.asarray(pieces, np.int32)


def load_field(pair: Pair, mean_diameter: float | None, split: bool = False, apart: int | None = None) -> Field:
    """A pair at the resolution where its objects have `mean_diameter` pixels (None: that of the file).

    `apart`: how many channels the network sees each by itself, as of `network_input`.
    """
    image = read_image(pair.image, pair.series)
    labels, unsure = _annotation(pair, image.shape, split)
    diameter = median_diameter(labels)
    if mean_diameter and 0 < diameter * LARGEST_ENLARGEMENT < mean_diameter:
        raise CellspanError(
            f"{pair.masks}: its objects have a median diameter of only {diameter:.1f} pixels; remove the specks."
        )
    pixels, _ = network_input(image, channels_of(pair, image), apart)
    field = field_at(pair.source, pixels, labels, mean_diameter, unsure)
    count = len(image.channels)
    return replace(field, channels=1 if image.is_rgb else count, chosen=_chosen_in_cellpose(pair, count), pair=pair)


def field_at(
    source: str,
    image: Floats,
    labels: Labels,
    mean_diameter: float | None,
    unsure: NDArray[np.bool_] | None = None,
) -> Field:
    """A normalised image (2, Y, X) and labels (Y, X) at the resolution where objects have `mean_diameter` pixels.

    With None, or without objects in the image, the resolution stays unchanged.
    """
    diameter = median_diameter(labels)
    factor = mean_diameter / diameter if mean_diameter and diameter else 1.0
    height, width = (max(1, round(side * factor)) for side in labels.shape)
    scaled = resize_labels(labels, (height, width))
    if unsure is not None:
        unsure = resize_labels(unsure.astype(np.int32), (height, width)) > 0
    return Field(source, resize(image, (height, width)), scaled, labels_to_flows(scaled), diameter, unsure=unsure)


def load_fields(
    pairs: Iterable[Pair], mean_diameter: float | None, split: bool = False, apart: int | None = None
) -> list[Field]:
    """All pairs."""
    return [load_field(pair, mean_diameter, split, apart) for pair in pairs]


def notes_on_channels(fields: Iterable[Field]) -> list[str]:
    """Notes about the use of images with several channels, as sentences."""
    fields = list(fields)
    channels = [field.channels for field in fields if field.chosen is None]
    chosen = Counter(_as_options(field.chosen) for field in fields if field.chosen is not None)
    notes = [
        f"In {count} image{'s' * (count != 1)}, the channels are those that were chosen in Cellpose's window; segment "
        f"with {options}."
        for options, count in sorted(chosen.items())
    ]
    if two := channels.count(2):
        notes.append(
            f"{_images_have(two)} two channels: the first is used as the cells, the second as the nuclei; "
            "segment with --nuclei-channel 1."
        )
    if more := sum(count > 2 for count in channels):
        notes.append(f"{_images_have(more)} three or more channels: only the first, channel 0, is used.")
    return notes


def _as_options(parameters: Parameters) -> str:
    """The channels as options of the command line."""
    nuclei = parameters.nuclei_channel
    return f"--channel {parameters.channel}" + ("" if nuclei is None else f" --nuclei-channel {nuclei}")


def _images_have(count: int) -> str:
    return f"{count} image{' has' if count == 1 else 's have'}"


def require_objects(fields: list[Field]) -> None:
    """Raise CellspanError if the training images contain too few objects."""
    count = sum(int(field.labels.max(initial=0)) for field in fields)
    if count < FEWEST_OBJECTS:
        raise CellspanError(
            f"The training images contain {count} annotated object{'' if count == 1 else 's'}; "
            f"annotate at least {FEWEST_OBJECTS}, or better 50."
        )


def source_weights(fields: list[Field], balance: float = 0.5) -> NDArray[np.float64]:
    """Probability of each field: a source of n images has weight n to the power of `balance`.

    With 0 all sources have the same weight, with 1 all images; in between, no source outweighs the others.
    """
    _, index, counts = np.unique([field.source for field in fields], return_inverse=True, return_counts=True)
    weights = counts[index].astype(np.float64) ** (balance - 1)
    result: NDArray[np.float64] = weights / weights.sum()
    return result
