"""Trains a model on outlines that were corrected in ImageJ, and makes it available in every program."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from roifile import ImagejRoi

from cellspan.core.errors import CellspanError
from cellspan.core.files.writing import make_folder
from cellspan.core.models.importing import import_model, require_free_name
from cellspan.core.models.registry import Model, find_model
from cellspan.core.objects.roi_places import Place, Stack, position_of
from cellspan.core.pictures.images import Image
from cellspan.core.training.comparison import Comparison, compared
from cellspan.core.training.pair_files import write_outlined_pair
from cellspan.core.training.pairs import find_pairs
from cellspan.fiji_bridge.axes import array_and_axes, is_image_plus, planes_of
from cellspan.fiji_bridge.gateway import java_class
from cellspan.fiji_bridge.images import axes_of, image_from_imagej
from cellspan.fiji_bridge.rois import archived_rois, rois_in


@dataclass(frozen=True)
class Trained:
    """A model made from corrected outlines."""

    model: Model  # available in every program under its name
    comparison: Comparison  # AP@0.5 on the corrected images, before and after


def train_from_rois(
    images: Any,
    rois: Any,
    name: str,
    from_model: str = "cyto",
    minutes: float = 10,
    axes: str | None = None,
    channel: int | None = None,
    nuclei_channel: int | None = None,
    folder: str | Path | None = None,
    report: Callable[[str], None] = print,
    on_progress: Callable[[float], None] | None = None,
) -> Trained:
    """Fine-tune `from_model` for some minutes on images with corrected outlines; the new model is called `name`.

    `images` is an ImagePlus or an array (with `axes`, as for `segment`), or a list of them; `rois` is a ROI Manager, an
    Overlay, the path of a RoiSet.zip or of Cellpose's _seg.npy, or a list with one for each image. Outline every object
    in an image, because everything else counts as background. In a stack, the planes with ROIs are used. `channel` and
    `nuclei_channel` are those of `Parameters`. The images and their outlines are kept in `folder`, if given, for
    further training. Raises CellspanError before the training starts if the name is taken, or if there are no ROIs,
    some outside their image, or fewer than 5 objects; lines and points are left out with a note.
    """
    require_free_name(name)
    start = find_model(from_model)
    try:
        from cellspan.core.training.loop import train
        from cellspan.core.training.recipe import Recipe
    except ModuleNotFoundError as error:
        raise CellspanError(f'Training needs {error.name}; run: pip install "cellspan[train]"') from None
    with tempfile.TemporaryDirectory() if folder is None else nullcontext(folder) as place:
        examples = Path(place) / "images"
        write_examples(images, rois, examples, axes, channel, nuclei_channel)
        pairs = find_pairs(examples)
        recipe = Recipe.fine_tuning(start, name=name, minutes=minutes)

        def learn() -> Model:
            return train(recipe, pairs, Path(place) / name, start, report=report, on_progress=on_progress)

        model, comparison = compared(start, learn, pairs)
        report(f"{comparison}.")
        return Trained(import_model(model.folder, name), comparison)


def write_examples(
    images: Any,
    rois: Any,
    folder: Path,
    axes: str | None = None,
    channel: int | None = None,
    nuclei_channel: int | None = None,
) -> None:
    """Write each plane that has ROIs into `folder`, as `<title>.tif` with `<title>_rois.zip`; raises CellspanError."""
    images = list(images) if isinstance(images, (list, tuple)) else [images]
    sources = list(rois) if isinstance(rois, (list, tuple)) else [rois]
    if len(images) != len(sources):
        raise CellspanError(
            f"There are {len(images)} images, but ROIs of {len(sources)}: give one set of ROIs for each image."
        )
    make_folder(folder)
    for image, source in zip(images, sources, strict=True):
        contents = roi_bytes(source)
        title = _title(image)
        pixels, letters = _pixels(image, axes)
        planes, stacked = planes_of(pixels, letters)
        sizes = dict(zip(letters, pixels.shape, strict=True))
        stack = Stack(sizes.get("Z", 1), sizes.get("T", 1), sizes.get("C", 1))
        by_place = _by_place(contents, stack)
        written = 0
        for plane in planes:
            own = by_place.get(Place(plane.z + 1, plane.t + 1))
            if own:
                place = "".join(f"_{letter.lower()}{getattr(plane, letter.lower()) + 1:04d}" for letter in stacked)
                _write(folder, f"{title}{place}", _chosen(plane.image, channel, nuclei_channel), own)
                written += 1
        if not written:
            raise CellspanError(f"{title}: there are no ROIs for this image; find or draw outlines first.")


def roi_bytes(source: Any) -> list[bytes]:
    """Every ROI as ImageJ stores it in a file."""
    if isinstance(source, (str, Path)):
        return archived_rois(Path(source))
    encoder = java_class("ij.io.RoiEncoder")
    return [bytes(encoder.saveAsByteArray(roi)) for roi in rois_in(source)]


def _pixels(image: Any, axes: str | None) -> tuple[NDArray[Any], str]:
    return (image_from_imagej(image), axes_of(image)) if is_image_plus(image) else array_and_axes(image, axes)


def _title(image: Any) -> str:
    """A name for files: that of the ImagePlus without its suffix."""
    title = Path(str(image.getTitle())).stem if is_image_plus(image) else "image"
    return re.sub(r"[^\w.-]+", "_", title)


def _by_place(contents: Sequence[bytes], stack: Stack) -> dict[Place, list[bytes]]:
    """The ROIs of each plane. One without a position is refused, because it would belong to all planes."""
    found: dict[Place, list[bytes]] = {}
    for content in contents:
        roi = ImagejRoi.frombytes(content)
        place = stack.place(position_of(roi))
        if 0 in place:
            raise CellspanError(
                f"The ROI '{roi.name}' belongs to no plane of the stack; in the ROI Manager, go to its plane and press "
                "Update, or give that plane as an image of its own."
            )
        if place.slice > stack.slices or place.frame > stack.frames:
            raise CellspanError(
                f"The ROI '{roi.name}' is on slice {place.slice} and frame {place.frame}, but the image has "
                f"{stack.slices} slice(s) and {stack.frames} frame(s)."
            )
        found.setdefault(place, []).append(content)
    return found


def _chosen(image: Image, channel: int | None, nuclei_channel: int | None) -> Image:
    """The channels to learn from: the one to segment and, if given, that of the nuclei; without a choice, all."""
    if channel is None and nuclei_channel is None:
        return image
    wanted = [channel or 0] + ([] if nuclei_channel is None else [nuclei_channel])
    if max(wanted) >= len(image.channels):
        raise CellspanError(
            f"There is no channel {max(wanted)}: the image has {len(image.channels)} channel(s), counted from 0."
        )
    return Image(image.channels[wanted])


def _write(folder: Path, title: str, image: Image, rois: Iterable[bytes]) -> None:
    pixels = image.channels
    if image.is_rgb:
        pixels = np.moveaxis(pixels[:3], 0, -1)
    elif len(pixels) == 1:
        pixels = pixels[0]
    write_outlined_pair(folder, _free_name(folder, title, pixels), pixels, image.is_rgb, rois)


def _free_name(folder: Path, title: str, pixels: NDArray[Any]) -> str:
    """The same image replaces its earlier copy; another image with the same title gets a number."""
    for number in count(1):
        name = title if number == 1 else f"{title}_{number}"
        file = folder / f"{name}.tif"
        if not file.exists() or np.array_equal(tifffile.imread(file), pixels):
            return name
    raise AssertionError("unreachable")
