"""Segments an ImageJ image inside this Python and hands the outlines back to ImageJ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import Labels
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image
from cellspan.core.pictures.volume import Volume
from cellspan.core.planes.result import Result
from cellspan.core.service.models import WarmModels
from cellspan.fiji_bridge.axes import array_and_axes, is_image_plus, planes_of, spacing_of, volumes_of
from cellspan.fiji_bridge.gateway import is_headless
from cellspan.fiji_bridge.images import axes_of, image_from_imagej, labels_to_imagej
from cellspan.fiji_bridge.rois import rois_to_imagej

Target = Literal["roi_manager", "overlay", "labels"]
TARGETS = get_args(Target)
MODELS = WarmModels(warm=2)  # of this Python; a model that has been retrained is loaded again


@dataclass(frozen=True)
class Segmented:
    """The objects of an image or a stack."""

    labels: Labels  # (Y, X), or (Z, Y, X), (T, Y, X), (T, Z, Y, X) for stacks; each plane or volume has its own numbers
    axes: str  # the letters of the axes of `labels`
    results: list[Result]  # of each plane, slices before frames; or of each volume
    rois: list[Any] = field(default_factory=list)  # ImageJ's, if outlines were asked for
    label_image: Any = None  # an ImagePlus, if it was asked for

    @property
    def notes(self) -> list[str]:
        """Notes on the results, each once."""
        return list(dict.fromkeys(note for result in self.results for note in result.notes))

    @property
    def count(self) -> int:
        """Number of objects in all planes, or in all volumes."""
        return sum(result.count for result in self.results)


def segment(
    image: Any,
    parameters: Parameters | None = None,
    to: Target | Sequence[Target] | None = None,
    device: str = "auto",
    axes: str | None = None,
) -> Segmented:
    """Find the objects in an ImagePlus, a Dataset or an array; each plane of a stack is segmented separately.

    With `do_3d` or `stitch_threshold` in the parameters, each frame is segmented as a volume. Without an anisotropy in
    the parameters, it is taken from the image's calibration, or from the coordinates of xarray. The axes of xarray have
    pyimagej's names (t, pln, row, col, ch); arrays of numpy other than (Y, X), (C, Y, X) and RGB need `axes` (see
    `array_and_axes`). `to` is one or several of "roi_manager", "overlay" (of the ImagePlus) and "labels" (a label
    image, shown if there are windows). Raises CellspanError.
    """
    parameters, targets = parameters or Parameters(), _targets(to)
    image_plus = image if is_image_plus(image) else None
    _require(targets, image_plus)  # before the work, not after it
    pieces, stacked = _pieces(image, axes, parameters.is_volume)
    segmenter = MODELS.get(parameters.model, device)
    results = [segmenter.segment(piece, parameters) for piece in pieces]
    labels = np.stack([result.labels for result in results]).reshape(*stacked.values(), *results[0].labels.shape)
    label_axes = "".join(stacked) + ("ZYX" if parameters.is_volume else "YX")
    rois: list[Any] = []
    for target in targets:
        if target != "labels":
            rois = rois_to_imagej(labels, image_plus, target, label_axes)
    label_image = _label_image(labels, label_axes, image_plus) if "labels" in targets else None
    return Segmented(labels, label_axes, results, rois, label_image)


def _pieces(image: Any, axes: str | None, is_volume: bool) -> tuple[Sequence[Image | Volume], dict[str, int]]:
    """The planes or volumes that are segmented separately, and the length of each axis that stacks them."""
    if is_image_plus(image):
        pixels, letters = image_from_imagej(image), axes_of(image)
    else:
        pixels, letters = array_and_axes(image, axes, is_volume)
    if is_volume:
        volumes = volumes_of(pixels, letters, spacing_of(image))
        return volumes, {"T": len(volumes)} if len(volumes) > 1 else {}
    planes, several = planes_of(pixels, letters)
    counts = {letter: len({getattr(plane, letter.lower()) for plane in planes}) for letter in several}
    return [plane.image for plane in planes], counts


def _targets(to: Any) -> tuple[Target, ...]:
    targets = (to,) if isinstance(to, str) else tuple(to or ())
    if unknown := [target for target in targets if target not in TARGETS]:
        raise CellspanError(f"to = '{unknown[0]}' is not possible: use {', '.join(map(repr, TARGETS))}.")
    return targets


def _require(targets: tuple[Target, ...], image_plus: Any) -> None:
    if "overlay" in targets and image_plus is None:
        raise CellspanError("An overlay belongs to an ImageJ image: give the ImagePlus.")
    if "roi_manager" in targets and is_headless():
        raise CellspanError("ImageJ has no ROI Manager without a display: use to='overlay' or to='labels'.")


def _label_image(labels: Labels, axes: str, image_plus: Any) -> Any:
    """The labels as an ImagePlus, in a window if there are windows."""
    title = "labels" if image_plus is None else f"{image_plus.getTitle()} labels"
    image = labels_to_imagej(labels, title, axes)
    if image_plus is not None:
        scale = image_plus.getCalibration().copy()
        scale.disableDensityCalibration()  # calibrated grey values make no sense for labels
        image.setCalibration(scale)
    if not is_headless():
        image.show()
    return image
