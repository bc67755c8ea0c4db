"""Segments an image of ImageJ inside this Python and hands the outlines back to ImageJ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from cellspan.core.errors import CellspanError
from cellspan.core.images import image_from_array
from cellspan.core.labels import Labels
from cellspan.core.parameters import Parameters
from cellspan.core.segmenter import Result, Segmenter
from cellspan.fiji_bridge.axes import array_and_axes, is_image_plus, planes_of
from cellspan.fiji_bridge.gateway import is_headless
from cellspan.fiji_bridge.images import axes_of, image_from_imagej, labels_to_imagej
from cellspan.fiji_bridge.rois import rois_to_imagej

Target = Literal["roi_manager", "overlay", "labels"]
TARGETS = ("roi_manager", "overlay", "labels")


@dataclass(frozen=True)
class Segmented:
    """The objects of an image or a stack."""

    labels: Labels  # (Y, X), or (Z, Y, X), (T, Y, X), (T, Z, Y, X) for stacks; each plane has numbers of its own
    axes: str  # the letters of the axes of `labels`
    results: list[Result]  # of each plane, slices before frames
    rois: list[Any] = field(default_factory=list)  # ImageJ's, if outlines were asked for
    label_image: Any = None  # an ImagePlus, if it was asked for

    @property
    def notes(self) -> list[str]:
        """What a person should know of the results, each sentence once."""
        return list(dict.fromkeys(note for result in self.results for note in result.notes))

    @property
    def count(self) -> int:
        """Number of objects in all planes."""
        return sum(result.count for result in self.results)


def segment(
    image: Any,
    parameters: Parameters | None = None,
    to: Target | Sequence[Target] | None = None,
    device: str = "auto",
    axes: str | None = None,
) -> Segmented:
    """Find the objects in an ImagePlus, a Dataset or an array; in each plane of a stack for itself.

    Arrays of xarray have axes named as pyimagej does (t, pln, row, col, ch); for arrays of numpy, `axes` says what they
    are where it is not (Y, X), (C, Y, X) or RGB (see `array_and_axes`). `to` is one or several of "roi_manager",
    "overlay" (of the ImagePlus) and "labels" (a label image, shown if there are windows). Raises CellspanError.
    """
    parameters, targets = parameters or Parameters(), _targets(to)
    image_plus = image if is_image_plus(image) else None
    _require(targets, image_plus)  # before the work, not after it
    if image_plus is not None:
        pixels, letters = image_from_imagej(image), axes_of(image)
    else:
        pixels, letters = array_and_axes(image, axes)
    segmenter = _segmenter(parameters.model, device)
    if parameters.do_3d or parameters.stitch_threshold > 0:
        segmenter.segment(image_from_array(pixels, letters), parameters)  # says that volumes have to wait
    planes, stacked = planes_of(pixels, letters)
    results = [segmenter.segment(plane.image, parameters) for plane in planes]
    counts = [len({getattr(plane, letter.lower()) for plane in planes}) for letter in stacked]
    labels = np.stack([result.labels for result in results]).reshape(*counts, *results[0].labels.shape)
    label_axes = stacked + "YX"
    rois: list[Any] = []
    for target in targets:
        if target != "labels":
            rois = rois_to_imagej(labels, image_plus, target, label_axes)
    label_image = _label_image(labels, label_axes, image_plus) if "labels" in targets else None
    return Segmented(labels, label_axes, results, rois, label_image)


def _targets(to: Any) -> tuple[Target, ...]:
    targets = (to,) if isinstance(to, str) else tuple(to or ())
    if unknown := [target for target in targets if target not in TARGETS]:
        raise CellspanError(f"to = '{unknown[0]}' is not possible: use {', '.join(map(repr, TARGETS))}.")
    return targets


def _require(targets: tuple[Target, ...], image_plus: Any) -> None:
    if "overlay" in targets and image_plus is None:
        raise CellspanError("An overlay belongs to an image of ImageJ: give the ImagePlus.")
    if "roi_manager" in targets and is_headless():
        raise CellspanError("ImageJ has no ROI Manager without a display: use to='overlay' or to='labels'.")


def _label_image(labels: Labels, axes: str, image_plus: Any) -> Any:
    """The labels as an ImagePlus, in a window if there are windows."""
    title = "labels" if image_plus is None else f"{image_plus.getTitle()} labels"
    image = labels_to_imagej(labels, title, axes)
    if not is_headless():
        image.show()
    return image


@lru_cache(maxsize=2)
def _segmenter(model: str, device: str) -> Segmenter:
    return Segmenter(model, device)
