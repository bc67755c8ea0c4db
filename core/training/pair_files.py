"""Writes training pairs, an image and its annotation, as napari, the review page and ImageJ keep corrections."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import tifffile
from numpy.typing import NDArray

from cellspan.core.files.together import write_together
from cellspan.core.results.label_files import write_labels


def write_pair(folder: Path, name: str, pixels: NDArray[Any], is_rgb: bool, labels: NDArray[Any]) -> Path:
    """Write <name>_img.tif and <name>_masks.tif together, in place of an earlier pair of this name; the image's path.

    `pixels` (Y, X), (C, Y, X) such as cells and nuclei, or (Y, X, 3) in colours; `labels` (Y, X). Raises CellspanError.
    """
    image, masks = folder / f"{name}_img.tif", folder / f"{name}_masks.tif"
    write_together(
        {image: partial(_write_image, pixels=pixels, is_rgb=is_rgb), masks: partial(write_labels, labels=labels)}
    )
    return image


def write_outlined_pair(folder: Path, name: str, pixels: NDArray[Any], is_rgb: bool, outlines: Iterable[bytes]) -> Path:
    """The same with <name>.tif and <name>_rois.zip, which ImageJ opens for further corrections.

    `outlines` are ROIs as ImageJ stores them; unlike masks, they may overlap.
    """
    image, rois = folder / f"{name}.tif", folder / f"{name}_rois.zip"
    write_together(
        {image: partial(_write_image, pixels=pixels, is_rgb=is_rgb), rois: partial(_write_rois, outlines=outlines)}
    )
    return image


def _write_image(path: Path, pixels: NDArray[Any], is_rgb: bool) -> None:
    options: dict[str, Any] = {"metadata": {"axes": "CYX"}} if pixels.ndim == 3 and not is_rgb else {}
    tifffile.imwrite(path, pixels, photometric="rgb" if is_rgb else "minisblack", **options)


def _write_rois(path: Path, outlines: Iterable[bytes]) -> None:
    with ZipFile(path, "w") as archive:
        for number, content in enumerate(outlines, 1):
            archive.writestr(f"{number:05d}.roi", content)
