"""Writes training pairs: <name>_img.tif and <name>_masks.tif, as napari and the review page keep corrections."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import tifffile
from numpy.typing import NDArray

from cellspan.core.files.together import write_together
from cellspan.core.results.label_files import write_labels


def write_pair(folder: Path, name: str, pixels: NDArray[Any], is_rgb: bool, labels: NDArray[Any]) -> Path:
    """Write both files together, in place of an earlier pair of this name; returns the image's path.

    `pixels` (Y, X), (2, Y, X) with nuclei, or (Y, X, 3) in colours; `labels` (Y, X). Raises CellspanError.
    """
    image, masks = folder / f"{name}_img.tif", folder / f"{name}_masks.tif"
    write_together(
        {image: partial(_write_image, pixels=pixels, is_rgb=is_rgb), masks: partial(write_labels, labels=labels)}
    )
    return image


def _write_image(path: Path, pixels: NDArray[Any], is_rgb: bool) -> None:
    options: dict[str, Any] = {"metadata": {"axes": "CYX"}} if pixels.ndim == 3 and not is_rgb else {}
    tifffile.imwrite(path, pixels, photometric="rgb" if is_rgb else "minisblack", **options)
