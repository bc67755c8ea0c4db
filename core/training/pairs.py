"""Finds annotated images in folders, as people, ImageJ and Cellpose keep them, and which of them are held out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.annotations import DRAWN, FOUND, MASKS, annotated
from cellspan.core.pictures.inputs import is_image_file
from cellspan.core.pictures.left_out import marked
from cellspan.core.training.roi_sets import ONLY, ROI_MARKS, has_overlay, note_on

SERIES = re.compile(r"(?P<image>.+)_s(?P<series>\d{1,6})")  # as `cellspan segment` calls results
IMAGE = "_img"  # a mark that images may have
ROIS = "rois"
KINDS = (MASKS, ROIS, DRAWN, FOUND)  # of annotations; of several of one image, the first counts
TRAIN, VAL, TEST = SPLITS = ("train", "val", "test")  # names of folders, upper or lower case

Annotations = dict[Path, list[tuple[str, Path]]]  # by the name of the image: files and their KINDS


@dataclass(frozen=True)
class Pair:
    """The files of one annotated image."""

    image: Path
    masks: Path  # a label image, Cellpose's _seg.npy, a RoiSet.zip, or the image itself if its overlay has outlines
    source: str  # its folder, ignoring folders of SPLITS; images of one source are similar
    split: str = TRAIN  # one of SPLITS
    series: int | None = None  # which image of a file that holds several
    unused: tuple[Path, ...] = ()  # other annotations of the image

    @property
    def is_outlined(self) -> bool:
        """Whether the annotation is ROIs of ImageJ."""
        return self.masks == self.image or self.masks.suffix.lower() == ".zip"


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

    An annotation is, beside `<image>.*` or `<image>_img.*`, one of these, of which the first counts: masks,
    `<image>_masks.*`; outlines from ImageJ, `<image>_rois.zip` or `<image>_RoiSet.zip`, or `RoiSet.zip` beside the only
    image in a folder; what Cellpose saves, `<image>_seg.npy` or `<image>_cp_masks.*`; the overlay in a TIFF. Those of
    one image in a file of several are called `<image>_s0_masks.*` and so on (s1, s2, ...).
    Raises CellspanError if there are none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CellspanError(f"{folder}: there is no such folder.")
    files = sorted(folder.rglob("*"))
    annotations = _annotations(files)
    images = [file for file in files if _is_image(file)]
    found = {image: own for image, own in _owned(images, annotations).items() if own}
    found |= {image: [image] for image in images if image not in found and has_overlay(image)}
    found |= _only_images([image for image in images if image not in found], files)
    of_series = _annotated_series(images, annotations)
    pairs = [
        _pair(image, own, folder, series)
        for image in images
        for series, own in (of_series.get(image) or _only_series(found.get(image))).items()
    ]
    if not pairs:
        raise CellspanError(
            f"{folder}: no annotated images were found. Beside an image <id>.tif (or <id>_img.tif), an annotation is "
            "called <id>_masks.tif (or .png), or <id>_seg.npy or <id>_cp_masks.png as Cellpose saves it, or "
            "<id>_rois.zip as ImageJ saves outlines."
        )
    return pairs


def _annotations(files: Iterable[Path]) -> Annotations:
    found: Annotations = {}
    for file in files:
        split = annotated(file) or _outlined(file)
        if split is not None:
            found.setdefault(file.parent / split[0], []).append((split[1], file))
    return found


def _in_order(annotations: Iterable[tuple[str, Path]]) -> list[Path]:
    """The annotations of one image, the one that counts first."""
    return [file for _, file in sorted(annotations, key=lambda item: KINDS.index(item[0]))]


def _outlined(file: Path) -> tuple[str, str] | None:
    """The name of the image whose outlines a RoiSet.zip holds."""
    folded = file.stem.casefold()
    if file.suffix.lower() != ".zip":
        return None
    return next(((file.stem[: -len(mark)], ROIS) for mark in ROI_MARKS if folded.endswith(mark)), None)


def _is_image(path: Path) -> bool:
    """Whether a file may be an annotated image; not results, annotations or hidden files."""
    return is_image_file(path) and (path.stem.endswith(IMAGE) or marked(path.stem) is None)


def _owned(images: Iterable[Path], annotations: Annotations) -> dict[Path, list[Path]]:
    """The annotations of each image, the one that counts first."""
    with_mark = {_named(image) for image in images if image.stem.endswith(IMAGE)}
    found = {}
    for image in images:
        names = dict.fromkeys((_named(image), image.parent / image.stem))
        if not image.stem.endswith(IMAGE) and _named(image) in with_mark:
            continue  # <id>.tif beside <id>_img.tif is another image, or another form of it
        found[image] = _in_order(item for name in names for item in annotations.get(name, []))
    return found


def _named(image: Path) -> Path:
    """The name by which annotations know an image."""
    return image.parent / image.stem.removesuffix(IMAGE)


def _only_images(images: list[Path], files: Iterable[Path]) -> dict[Path, list[Path]]:
    """Images that share a folder with one RoiSet.zip; raises CellspanError if there are several."""
    roi_sets = {file.parent: file for file in files if file.name.casefold() == f"{ONLY}.zip"}
    found = {}
    for image in images:
        rois = roi_sets.get(image.parent)
        if rois is None:
            continue
        others = sum(other.parent == image.parent for other in images) - 1
        if others:
            raise CellspanError(
                f"{rois}: it is unclear which of the {others + 1} images in this folder these ROIs belong to; "
                f"name the file after its image, such as {image.stem}_rois.zip."
            )
        found[image] = [rois]
    return found


def _annotated_series(images: list[Path], annotations: Annotations) -> dict[Path, dict[int | None, list[Path]]]:
    """Annotations of single images in files of several, by their numbers."""
    stems = {_named(image): image for image in images}
    found: dict[Path, dict[int | None, list[Path]]] = {}
    for name, files in sorted(annotations.items()):
        split = SERIES.fullmatch(name.name)
        if split is None or name in stems:  # an image is called so itself
            continue
        image = stems.get(name.parent / split["image"].removesuffix(IMAGE))
        if image is not None:
            found.setdefault(image, {})[int(split["series"])] = _in_order(files)
    return found


def _only_series(annotations: list[Path] | None) -> dict[int | None, list[Path]]:
    """The annotations of an image whose series are not annotated one by one."""
    return {} if annotations is None else {None: annotations}


def _pair(image: Path, annotations: Sequence[Path], top: Path, series: int | None) -> Pair:
    """The source and split from the names of the folders below `top`."""
    named = Path(os.path.abspath(top))
    folders = [named.name, *image.parent.relative_to(top).parts]
    splits = [name.casefold() for name in folders if name.casefold() in SPLITS]
    sources = [name for name in (named.parent.name, *folders) if name.casefold() not in SPLITS]
    source, split = sources[-1] if sources else named.name, splits[-1] if splits else TRAIN
    return Pair(image, annotations[0], source, split, series, tuple(annotations[1:]))


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


def notes_on(pairs: Iterable[Pair]) -> list[str]:
    """Notes about annotations and ROIs that are ignored, as sentences."""
    pairs = list(pairs)
    notes = [note for pair in pairs if pair.is_outlined and (note := note_on(pair.masks))]
    several = [pair for pair in pairs if pair.unused]
    if several:
        first, count = several[0], len(several)
        notes.insert(
            0,
            f"{count} image{' has' if count == 1 else 's have'} several annotations: of {first.image}, "
            f"{first.masks.name} is used, {' and '.join(path.name for path in first.unused)} not.",
        )
    return notes
