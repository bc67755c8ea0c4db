"""Annotated images with masks or outlines, rescaled to the model's mean diameter, with their flows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
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
from cellspan.core.pictures.inputs import IMAGE_SUFFIXES, is_image_file
from cellspan.core.pictures.left_out import marked
from cellspan.core.pictures.normalise import network_input
from cellspan.core.pictures.reading import read_image, read_labels
from cellspan.core.pictures.resizing import resize
from cellspan.core.training.roi_sets import ONLY, ROI_MARKS, has_overlay, note_on, read_annotation

FEWEST_OBJECTS = 5  # in all training images together
SERIES = re.compile(r"(?P<image>.+)_s(?P<series>\d{1,6})")  # as `cellspan segment` calls results
TRAIN, VAL, TEST = SPLITS = ("train", "val", "test")  # names of folders, upper or lower case


@dataclass(frozen=True)
class Pair:
    """The files of one annotated image."""

    image: Path
    masks: Path  # a label image, a RoiSet.zip, or the image itself if its overlay contains the outlines
    source: str  # its folder, ignoring folders of SPLITS; images of one source are similar
    split: str = TRAIN  # one of SPLITS
    series: int | None = None  # which image of a file that holds several

    @property
    def is_outlined(self) -> bool:
        """Whether the annotation is ROIs of ImageJ."""
        return self.masks == self.image or self.masks.suffix.lower() == ".zip"


@dataclass(frozen=True)
class Field:
    """One annotated image, ready for crops, rescaled so that objects have the mean diameter."""

    source: str
    image: Floats  # (2, Y, X), normalised
    labels: Labels  # (Y, X)
    flows: Floats  # (2, Y, X)
    diameter: float  # median, in pixels of the file; 0 without objects
    channels: int = 1  # in the file; colour counts as one
    pair: Pair | None = None  # its files; None for simulated fields


def licence(pair: Pair) -> str:
    """The line `Licence: ...` of a LICENSE* file beside the images or one folder up; 'unknown' without one."""
    for folder in (pair.image.parent, pair.image.parent.parent):
        for path in sorted(folder.glob("LICENSE*")):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                if line.lower().startswith(("licence:", "license:")):
                    return line.partition(":")[2].strip()
    return "unknown"


def find_pairs(folder: str | Path) -> list[Pair]:
    """All annotated images below a folder, any depth, in alphabetical order.

    An annotation is `<id>_masks.*` beside `<id>_img.*`, or outlines from ImageJ: `<image>_rois.zip` or
    `<image>_RoiSet.zip` beside any image, `RoiSet.zip` beside the only image in a folder, or the overlay in a TIFF.
    Those of one image in a file of several are called `<id>_s0_masks.*` or `<image>_s0_rois.zip` (s1, s2, ...).
    Raises CellspanError if there are none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CellspanError(f"{folder}: there is no such folder.")
    files = sorted(folder.rglob("*"))
    masks = {
        file.parent / file.stem.removesuffix("_masks"): file
        for file in files
        if file.stem.endswith("_masks") and file.suffix.lower() in IMAGE_SUFFIXES
    }
    roi_sets = {file.parent / file.stem.casefold(): file for file in files if file.suffix.lower() == ".zip"}
    images = [file for file in files if _is_image(file)]
    found = {image: annotation for image in images if (annotation := _annotation_of(image, masks, roi_sets))}
    found |= _only_images([image for image in images if image not in found], roi_sets)
    of_series = _annotated_series(images, masks, roi_sets)
    pairs = [
        _pair(image, annotation, folder, series)
        for image in images
        for series, annotation in (of_series.get(image) or _only_series(found.get(image))).items()
    ]
    if not pairs:
        raise CellspanError(
            f"{folder}: no pairs named <id>_img.tif and <id>_masks.tif (or .png) were found, "
            "and no images with outlines from ImageJ named <image>_rois.zip."
        )
    return pairs


def _annotated_series(
    images: list[Path], masks: dict[Path, Path], roi_sets: dict[Path, Path]
) -> dict[Path, dict[int | None, Path]]:
    """Annotations of single images in files of several, by their numbers."""
    stems = {image.parent / image.stem.removesuffix("_img").casefold(): image for image in images}
    found: dict[Path, dict[int | None, Path]] = {}
    rois = {name.parent / name.name.removesuffix(mark): file for name, file in roi_sets.items() for mark in ROI_MARKS
            if name.name.endswith(mark)}  # fmt: skip
    for name, file in sorted({**rois, **masks}.items()):
        split = SERIES.fullmatch(name.name.casefold())
        if split is None or name.parent / name.name.casefold() in stems:  # an image is called so itself
            continue
        image = stems.get(name.parent / split["image"].removesuffix("_img"))
        if image is not None:
            found.setdefault(image, {})[int(split["series"])] = file
    return found


def chosen_series(pairs: Iterable[Pair], chosen: Sequence[int]) -> list[Pair]:
    """The pairs, or those of some images in files of several. Raises CellspanError if none is left."""
    pairs = list(pairs)
    if not chosen:
        return pairs
    only = chosen[0] if len(chosen) == 1 else None
    found = [replace(pair, series=only) if pair.series is None else pair for pair in pairs]
    found = [pair for pair in found if pair.series is None or pair.series in chosen]
    if not found:
        raise CellspanError(f"--series {', '.join(map(str, chosen))}: none of these images is annotated.")
    return found


def _only_series(annotation: Path | None) -> dict[int | None, Path]:
    """The annotation of an image whose series are not annotated one by one."""
    return {} if annotation is None else {None: annotation}


def _pair(image: Path, masks: Path, top: Path, series: int | None) -> Pair:
    """The source and split from the names of the folders below `top`."""
    named = Path(os.path.abspath(top))
    folders = [named.name, *image.parent.relative_to(top).parts]
    splits = [name.casefold() for name in folders if name.casefold() in SPLITS]
    sources = [name for name in (named.parent.name, *folders) if name.casefold() not in SPLITS]
    return Pair(image, masks, sources[-1] if sources else named.name, splits[-1] if splits else TRAIN, series)


def _is_image(path: Path) -> bool:
    """Whether a file may be an annotated image; not results, annotations or hidden files."""
    return is_image_file(path) and (path.stem.endswith("_img") or marked(path.stem) is None)


def _annotation_of(image: Path, masks: dict[Path, Path], roi_sets: dict[Path, Path]) -> Path | None:
    """The file with the objects of an image: masks, ROIs, or the image itself with its overlay."""
    if image.stem.endswith("_img") and (found := masks.get(image.parent / image.stem.removesuffix("_img"))):
        return found
    names = [(stem + mark).casefold() for stem in (image.stem, image.stem.removesuffix("_img")) for mark in ROI_MARKS]
    beside = [roi_sets[image.parent / name] for name in names if image.parent / name in roi_sets]
    if beside:
        return beside[0]
    return image if has_overlay(image) else None


def _only_images(images: list[Path], roi_sets: dict[Path, Path]) -> dict[Path, Path]:
    """Images that share a folder with one RoiSet.zip; raises CellspanError if there are several."""
    found = {}
    for image in images:
        rois = roi_sets.get(image.parent / ONLY)
        if rois is None:
            continue
        others = sum(other.parent == image.parent for other in images) - 1
        if others:
            raise CellspanError(
                f"{rois}: it is unclear which of the {others + 1} images in this folder these ROIs belong to; "
                f"name the file after its image, such as {image.stem}_rois.zip."
            )
        found[image] = rois
    return found


def divided(pairs: Iterable[Pair]) -> tuple[list[Pair], list[Pair]]:
    """Training pairs, and held-out pairs in folders named val; pairs in folders named test are in neither.

    In nested folders, the innermost of these names decides. Raises CellspanError if there are no training pairs.
    """
    pairs = list(pairs)
    used = [pair for pair in pairs if pair.split == TRAIN]
    if pairs and not used:
        raise CellspanError(
            f"{pairs[0].image.parent}: there are no training images, because all annotated images are in folders "
            "named val or test; put some elsewhere, or give the folder another name."
        )
    return used, [pair for pair in pairs if pair.split == VAL]


def read_pair(pair: Pair, split: bool = False) -> tuple[Floats, Labels]:
    """The normalised image (2, Y, X) and its labels (Y, X); a second channel shows the nuclei.

    `split` makes an object of each connected piece of a binary mask. Raises CellspanError for masks of a different
    size, and for binary masks without `split`.
    """
    image = read_image(pair.image, pair.series)
    return _seen(image), labels_of(pair, image.shape, split)


def _seen(image: Image) -> Floats:
    """The normalised channels (2, Y, X) for training."""
    return network_input(image, channels_of(image))[0]


def channels_of(image: Image) -> Parameters:
    """The channels for training; of two, the second shows the nuclei."""
    two = not image.is_rgb and len(image.channels) == 2
    return Parameters(channel=0, nuclei_channel=1) if two else Parameters()


def labels_of(pair: Pair, shape: tuple[int, int], split: bool = False) -> Labels:
    """The annotated objects of an image of `shape` (height, width), 1..n; raises as `read_pair` does."""
    if pair.is_outlined:
        return renumber(read_annotation(pair.masks, shape))
    labels = renumber(as_labels(read_labels(pair.masks)))
    if labels.shape != shape:
        raise CellspanError(f"{pair.masks}: its size {labels.shape} differs from that of {pair.image.name}, {shape}.")
    return _objects(labels, pair.masks, split)


def notes_on(pairs: Iterable[Pair]) -> list[str]:
    """Notes about ROIs that are ignored, as sentences."""
    return [note for pair in pairs if pair.is_outlined and (note := note_on(pair.masks))]


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


def load_field(pair: Pair, mean_diameter: float | None, split: bool = False) -> Field:
    """A pair at the resolution where its objects have `mean_diameter` pixels (None: that of the file)."""
    image = read_image(pair.image, pair.series)
    labels = labels_of(pair, image.shape, split)
    diameter = median_diameter(labels)
    if mean_diameter and 0 < diameter * LARGEST_ENLARGEMENT < mean_diameter:
        raise CellspanError(
            f"{pair.masks}: its objects have a median diameter of only {diameter:.1f} pixels; remove the specks."
        )
    field = field_at(pair.source, _seen(image), labels, mean_diameter)
    return replace(field, channels=1 if image.is_rgb else len(image.channels), pair=pair)


def field_at(source: str, image: Floats, labels: Labels, mean_diameter: float | None) -> Field:
    """A normalised image (2, Y, X) and labels (Y, X) at the resolution where objects have `mean_diameter` pixels.

    With None, or without objects in the image, the resolution stays unchanged.
    """
    diameter = median_diameter(labels)
    factor = mean_diameter / diameter if mean_diameter and diameter else 1.0
    height, width = (max(1, round(side * factor)) for side in labels.shape)
    scaled = resize_labels(labels, (height, width))
    return Field(source, resize(image, (height, width)), scaled, labels_to_flows(scaled), diameter)


def load_fields(pairs: Iterable[Pair], mean_diameter: float, split: bool = False) -> list[Field]:
    """All pairs."""
    return [load_field(pair, mean_diameter, split) for pair in pairs]


def notes_on_channels(fields: Iterable[Field]) -> list[str]:
    """Notes about the use of images with several channels, as sentences."""
    channels = [field.channels for field in fields]
    notes = []
    if two := channels.count(2):
        notes.append(
            f"{_images_have(two)} two channels: the first is used as the cells, the second as the nuclei; "
            "segment with --nuclei-channel 1."
        )
    if more := sum(count > 2 for count in channels):
        notes.append(f"{_images_have(more)} three or more channels: only the first, channel 0, is used.")
    return notes


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
