"""Shows an image with the outlines of its objects in a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import Labels, areas, as_labels
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image, image_from_array
from cellspan.core.pictures.normalise import network_input
from cellspan.core.pictures.reading import read_image, read_volume
from cellspan.core.pictures.volume import Volume, volume_from_array
from cellspan.core.planes.preview import html_of, overlay_of, preview_of
from cellspan.core.planes.result import Result

LARGEST = 1024  # pixels of a picture in a notebook; larger images are shown smaller
SHOWN = Parameters(normalize=(1.0, 99.8))


@dataclass(frozen=True)
class Overlay:
    """A picture that a notebook shows."""

    picture: NDArray[np.uint8]  # RGB (Y, X, 3)
    count: int  # number of objects

    def _repr_html_(self) -> str:
        return html_of(self.picture, [f"{self.count} object{'' if self.count == 1 else 's'}"])


def show(image: str | Path | ArrayLike | Image | Volume, labels: ArrayLike | Result) -> Overlay:
    """An image, as a file or an array, with the outlines of its labels (Y, X) or of a result, for a notebook.

    The channel that is segmented if none is chosen is shown, from its 1st to its 99.8th percentile. Of a volume, with
    labels (Z, Y, X), the brightest voxels along z are shown, with each object's outline as seen from above. Raises
    CellspanError.
    """
    found = as_labels(labels.labels if isinstance(labels, Result) else labels)
    count = int(np.count_nonzero(areas(found)))
    if found.ndim == 3:
        return Overlay(_projection(image, found), count)
    plane = _as_plane(image)
    _require_fit(plane.shape, found)
    grey = preview_of(network_input(plane, SHOWN)[0][0], LARGEST)
    return Overlay(overlay_of(grey, found), count)


def _projection(image: Any, labels: Labels) -> NDArray[np.uint8]:
    from cellspan.core.results.volume_pictures import maximum_projection

    if isinstance(image, (str, Path)):
        with read_volume(image) as opened:
            _require_fit(opened.shape, labels)
            return maximum_projection(opened.shown(), labels)
    volume = image if isinstance(image, Volume) else volume_from_array(image)
    _require_fit(volume.shape, labels)
    return maximum_projection(volume.shown(), labels)


def _as_plane(image: Any) -> Image:
    if isinstance(image, (str, Path)):
        return read_image(image)
    return image if isinstance(image, Image) else image_from_array(image)


def _require_fit(shape: tuple[int, ...], labels: Labels) -> None:
    if shape != labels.shape:
        raise CellspanError(f"The image has the shape {shape}, but its labels {labels.shape}; are they of one image?")
