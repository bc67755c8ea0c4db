"""Outlines: label images to ImageJ's ROIs and back."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import Labels, as_labels, renumber
from cellspan.core.objects.outlines import Loop, trace_outlines
from cellspan.core.objects.roi_places import Place, Position, Stack, digits_for
from cellspan.core.pictures.reading import read_labels
from cellspan.core.pictures.seg_npy import is_seg
from cellspan.core.results.rois import outlines_of
from cellspan.fiji_bridge.gateway import is_headless, java_class, on_event_thread
from cellspan.fiji_bridge.images import LABEL_AXES

Target = Literal["roi_manager", "overlay"]


def rois_to_imagej(
    labels: ArrayLike, image: Any = None, to: Target = "roi_manager", axes: str | None = None
) -> list[Any]:
    """Add one ROI for each label to the ROI Manager or to the overlay of `image`, an ImagePlus; the ROIs.

    They are named by their labels (0001, 0002, ...), on stacks with the numbers of frame and slice first (0003-0001).
    Outlines that are there already stay. Labels are (Y, X), on a stack for the plane that is shown; (Z, Y, X); or
    (T, Z, Y, X), unless `axes` says otherwise; each ROI is bound to its slice and frame. Raises CellspanError, for
    example without a display, where ImageJ has no ROI Manager.
    """
    if to not in ("roi_manager", "overlay"):
        raise CellspanError(f"to = '{to}' is not possible: use 'roi_manager' or 'overlay'.")
    if to == "overlay" and image is None:
        raise CellspanError("An overlay belongs to an image: give the ImagePlus.")
    if to == "roi_manager" and is_headless():
        raise CellspanError("ImageJ has no ROI Manager without a display: use to='overlay'.")
    rois = _rois_of_planes(np.asarray(labels), image, axes)
    if to == "overlay":
        _add_to_overlay(rois, image)
    else:
        on_event_thread(lambda: _add_to_manager(rois))
    return rois


def _rois_of_planes(labels: NDArray[Any], image: Any, axes: str | None) -> list[Any]:
    axes = axes or _label_axes(labels.ndim, image)
    if len(axes) != labels.ndim or not axes.endswith("YX") or set(axes) - set("TZYX"):
        raise CellspanError(
            f"A label image is (Y, X), (Z, Y, X) or (T, Z, Y, X), not '{axes}' of shape {labels.shape}."
        )
    if image is not None and labels.shape[-2:] != (image.getHeight(), image.getWidth()):
        raise CellspanError(
            f"The label image is {labels.shape[-1]} x {labels.shape[-2]} pixels large, but the image "
            f"'{image.getTitle()}' {image.getWidth()} x {image.getHeight()}."
        )
    shown = Place() if image is None else Place(int(image.getZ()), int(image.getT()))
    stack = _stack(labels.shape, axes, image)
    rois = []
    for index in np.ndindex(labels.shape[:-2]):
        numbers = dict(zip(axes, (k + 1 for k in index), strict=False))
        place = Place(numbers.get("Z", shown.slice), numbers.get("T", shown.frame))
        for roi in labels_to_java_rois(labels[index], stack, place):
            _bind(roi, stack.position(place))
            rois.append(roi)
    return rois


def _label_axes(count: int, image: Any) -> str:
    """The axes of labels; on a time-lapse without slices, three axes are frames, Y and X."""
    if count == 3 and image is not None and image.getNSlices() == 1 and image.getNFrames() > 1:
        return "TYX"
    return LABEL_AXES.get(count, "")


def _stack(shape: tuple[int, ...], axes: str, image: Any) -> Stack:
    """The stack that ROIs are bound to: the ImagePlus or, without one, a stack like the labels."""
    frames, slices = (shape[axes.index(letter)] if letter in axes else 1 for letter in "TZ")
    if image is None:
        return Stack(slices, frames, is_hyperstack=slices > 1 and frames > 1)
    there = (max(slices, int(image.getNSlices())), max(frames, int(image.getNFrames())), int(image.getNChannels()))
    return Stack(*there, bool(image.isHyperStack()))


def _bind(roi: Any, position: Position) -> None:
    """Set the position of an ImageJ ROI, which is kept in one of two ways."""
    plane, *of_hyperstack = position
    if any(of_hyperstack):
        roi.setPosition(*of_hyperstack)
    elif plane:
        roi.setPosition(plane)


def _position_of(roi: Any) -> Position:
    """The position of an ImageJ ROI; of a plain one, ImageJ gives the number of the plane as that of the slice too."""
    if roi.hasHyperStackPosition():
        return Position(0, int(roi.getCPosition()), int(roi.getZPosition()), int(roi.getTPosition()))
    return Position(int(roi.getPosition()))


def labels_to_java_rois(labels: ArrayLike, stack: Stack | None = None, place: Place | None = None) -> list[Any]:
    """One ImageJ ROI per label of a (Y, X) image, in label order, named by label and, on stacks, by its place.

    They are polygons, or composites for objects with holes or several parts. Each is a call to Java: faster than a
    RoiSet.zip that ImageJ opens (tests/bench/rois_to_imagej.py).
    """
    stack, place = stack or Stack(), place or Place()
    outlines = trace_outlines(labels)
    digits = digits_for(len(outlines))
    rois = []
    for label, loops in enumerate(outlines, 1):
        if loops:
            roi = _polygon(loops[0]) if len(loops) == 1 else _composite(loops)
            roi.setName(stack.name(label, place, digits))
            rois.append(roi)
    return rois


def imagej_to_labels(source: Any, shape: tuple[int, ...], axes: str | None = None) -> Labels:
    """A label image of `shape` from an Overlay, a ROI Manager or the path of a RoiSet.zip or _seg.npy: 1..n.

    They are numbered in their order. `shape` is (Y, X), (Z, Y, X) or (T, Z, Y, X), unless `axes` says otherwise. In
    stacks, each ROI is painted into its slice and frame; one without a position into all of them. The pixels are those
    that ImageJ itself would fill; later ROIs cover earlier ones, and parts outside the image are cut off. Raises
    CellspanError for lines and points.
    """
    axes = axes or LABEL_AXES.get(len(shape), "")
    if len(axes) != len(shape) or axes not in ("YX", "ZYX", "TYX", "TZYX"):
        raise CellspanError(f"The shape {shape} is not that of a label image: give (Y, X), (Z, Y, X) or (T, Z, Y, X).")
    frames, slices = (shape[axes.index(letter)] if letter in axes else 1 for letter in "TZ")
    labels = np.zeros((frames, slices, *shape[-2:]), np.int32)
    for label, roi in enumerate(rois_in(source), 1):
        for t, z in _planes_of(roi, frames, slices):
            _paint(labels[t, z], roi, label)
    return labels.reshape(shape)


def _planes_of(roi: Any, frames: int, slices: int) -> list[tuple[int, int]]:
    """The frames and slices, counted from 0, that a ROI belongs to; positions do not matter on a single plane."""
    z, t = Stack(slices, frames).place(_position_of(roi))
    if z > slices or t > frames:
        raise CellspanError(
            f"The ROI '{roi.getName()}' belongs to slice {z} and frame {t}, but the image has {slices} slice(s) and "
            f"{frames} frame(s)."
        )
    return [(k, m) for k in range(frames) if t in (0, k + 1) for m in range(slices) if z in (0, m + 1)]


def _polygon(loop: Loop) -> Any:
    import jpype

    roi = java_class("ij.gui.PolygonRoi")
    x, y = (jpype.JArray(jpype.JInt)(np.ascontiguousarray(loop[:, axis], np.int32)) for axis in (0, 1))
    return roi(x, y, len(loop), roi.POLYGON)


def _composite(loops: list[Loop]) -> Any:
    """Loops under the even-odd rule: a loop inside another is a hole."""
    path = java_class("java.awt.geom.GeneralPath")
    shape = path(path.WIND_EVEN_ODD)
    for loop in loops:
        (x, y), *others = loop.tolist()
        shape.moveTo(float(x), float(y))
        for x, y in others:
            shape.lineTo(float(x), float(y))
        shape.closePath()
    return java_class("ij.gui.ShapeRoi")(shape)


def _add_to_overlay(rois: list[Any], image: Any) -> None:
    overlay = image.getOverlay() or java_class("ij.gui.Overlay")()
    for roi in rois:
        overlay.add(roi)
    image.setOverlay(overlay)


def _add_to_manager(rois: list[Any]) -> None:
    manager = java_class("ij.plugin.frame.RoiManager").getRoiManager()
    for roi in rois:
        name, place = roi.getName(), roi.getPosition() or roi.hasHyperStackPosition()
        manager.addRoi(roi)
        if roi.getName() != name:  # ImageJ takes names such as 0003-0001 for coordinates and replaces them
            roi.setName(name)
            manager.rename(manager.getCount() - 1, name)  # the manager holds a copy
        if not place:  # ImageJ has bound it to the channel or plane that is shown
            manager.getRoi(manager.getCount() - 1).setPosition(0)


def rois_in(source: Any) -> Iterable[Any]:
    """The ROIs of an Overlay, a ROI Manager or a path as of `archived_rois`, as ImageJ's; raises CellspanError."""
    if isinstance(source, str | Path):
        decoder = java_class("ij.io.RoiDecoder")
        return [decoder.openFromByteArray(content) for content in archived_rois(Path(source))]
    if hasattr(source, "getRoisAsArray"):  # a ROI Manager
        return list(source.getRoisAsArray())
    if hasattr(source, "toArray"):  # an overlay
        return list(source.toArray())
    raise CellspanError(f"ROIs come from an Overlay, a ROI Manager or a RoiSet.zip, not from {type(source).__name__}.")


def archived_rois(path: Path) -> list[bytes]:
    """Every ROI in a RoiSet.zip, or of Cellpose's _seg.npy, as ImageJ stores it; raises CellspanError."""
    if is_seg(path):
        return [roi.tobytes() for roi in outlines_of(renumber(as_labels(read_labels(path))))]
    try:
        with zipfile.ZipFile(path) as archive:
            return [archive.read(name) for name in archive.namelist() if name.lower().endswith(".roi")]
    except Exception as error:  # noqa: BLE001 - damaged archives raise anything
        raise CellspanError(f"{path}: this RoiSet.zip cannot be read ({error}).") from None


def _paint(labels: Labels, roi: Any, label: int) -> None:
    """Set the pixels of a ROI, inside the image, to `label`."""
    if not roi.isArea():
        raise CellspanError(f"The ROI '{roi.getName()}' is a line or a point and encloses no pixels; remove it.")
    inside = _mask(roi)
    left, top = int(roi.getBounds().x), int(roi.getBounds().y)
    height, width = labels.shape
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(height, top + inside.shape[0]), min(width, left + inside.shape[1])
    if y0 < y1 and x0 < x1:
        labels[y0:y1, x0:x1][inside[y0 - top : y1 - top, x0 - left : x1 - left]] = label


def _mask(roi: Any) -> NDArray[np.bool_]:
    """The pixels of a ROI's bounding box that ImageJ would fill; a rectangle has no mask and fills the whole box."""
    mask = roi.getMask()
    if mask is None:
        bounds = roi.getBounds()
        return np.ones((bounds.height, bounds.width), bool)
    result: NDArray[np.bool_] = np.array(memoryview(mask.getPixels())).reshape(mask.getHeight(), mask.getWidth()) != 0
    return result
