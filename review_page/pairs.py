"""Training pairs of reviewed images: <name>_img.tif and <name>_masks.tif, as every door of cellspan writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.files.result_names import PAIRS_MARK
from cellspan.core.files.writing import make_folder
from cellspan.core.objects.labels import Labels, renumber
from cellspan.core.parameters import Parameters, parse_parameters
from cellspan.core.pictures.channels import one_channel
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.normalise import combined, scaled_channels
from cellspan.core.training.pair_files import write_pair
from cellspan.review_page.image import ReviewImage
from cellspan.review_page.options import known
from cellspan.review_page.stacks import read_plane

Pixels = NDArray[Any]


def write_pairs(image: ReviewImage, folder: Path) -> list[Path]:
    """Every plane of an image that has objects, as a pair; the images written. Raises CellspanError.

    A pair holds what the model sees: the segmented channel, and that of the nuclei if there is one. An earlier pair of
    the same name is replaced.
    """
    labels, _ = image.labels()
    if not labels.any():
        raise CellspanError(f"{image.name} has no objects, so there is nothing to learn from.", "no_objects")
    make_folder(folder)
    (folder / PAIRS_MARK).touch()
    parameters = parse_parameters(known(image.how().get("parameters") or {}))
    stem = "_".join((*image.item.subfolder.parts, image.item.stem.name))
    written = []
    for z, own in _planes(labels):
        place = "" if z is None else f"_{z:04d}"
        pixels, is_rgb = seen_by_model(_image(image, z or 0), parameters)
        written.append(write_pair(folder, f"{stem}{place}", pixels, is_rgb, own))
    return written


def seen_by_model(image: Image, parameters: Parameters) -> tuple[Pixels, bool]:
    """What of an image is segmented: (Y, X), (2, Y, X) with nuclei, or (Y, X, 3); and whether it is in colours."""
    if image.is_rgb and not parameters.channels:
        return _inverted(image.channels[:3].transpose(1, 2, 0), parameters.invert), True
    if len(parameters.channels) > 1:
        plain = parameters.model_copy(update={"nuclei_channel": None, "invert": False, "limits": None})
        cells: Pixels = combined(scaled_channels(image, plain).to_segment, parameters.combine)
    else:
        cells = one_channel(image, (parameters.channels or (image.main,))[0], "channel")
    cells = _inverted(cells, parameters.invert)
    if parameters.nuclei_channel is None:
        return cells, False
    nuclei = _inverted(one_channel(image, parameters.nuclei_channel, "nuclei_channel"), parameters.invert)
    if cells.dtype != nuclei.dtype:
        cells, nuclei = cells.astype(np.float32), nuclei.astype(np.float32)
    return np.stack([cells, nuclei]), False


def _inverted(pixels: Pixels, invert: bool) -> Pixels:
    """Objects that are dark become bright, as the model sees them."""
    return pixels.max() - (pixels - pixels.min()) if invert else pixels


def _planes(labels: Labels) -> Iterator[tuple[int | None, Labels]]:
    if labels.ndim == 2:
        yield None, renumber(labels)
        return
    for z, plane in enumerate(labels):
        if plane.any():
            yield z, renumber(np.ascontiguousarray(plane))


def _image(image: ReviewImage, z: int) -> Image:
    looks = image.looks()
    return Image(read_plane(image.item.path, image.item.series, z), looks.is_rgb, main=looks.main)
