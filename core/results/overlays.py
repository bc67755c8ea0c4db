"""Overlays: the segmented channel of a plane with the outlines of its objects, and how every picture is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngInfo

from cellspan.core.objects.labels import Labels
from cellspan.core.objects.outlines import outlined
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.normalise import network_input

Picture = NDArray[np.uint8]  # RGB (Y, X, 3)


def plane_overlay(image: Image, labels: Labels, parameters: Parameters) -> Picture:
    """The segmented channel in grey, 1st to 99.8th percentile, with the outlines in yellow: (Y, X, 3).

    What lies outside a mask is black.
    """
    shown = parameters.unscaled(normalize=(1.0, 99.8))
    return outlined(network_input(image, shown)[0][0], labels)


def write_picture(path: Path, picture: Picture, spacing: tuple[float, float] | None = None, unit: str = "") -> None:
    """A PNG; if the size (y, x) of its pixels is known, a text in it named "Pixel size" tells it.

    Not as the resolution for printing (pHYs), because word processors would then show the picture as large as the
    cells are.
    """
    about = PngInfo()
    if spacing is not None and unit:
        about.add_itxt("Pixel size", f"x: {spacing[1]:.6g} {unit}, y: {spacing[0]:.6g} {unit}")
    PIL.Image.fromarray(picture).save(path, format="PNG", pnginfo=about)
