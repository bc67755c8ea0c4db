"""Outlines: label images to ImageJ's ROIs and back."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellspan.core.errors import CellspanError
from cellspan.core.labels import Labels
from cellspan.core.outlines import Loop, trace_outlines
from cellspan.fiji_bridge.gateway import is_headless, java_class

Target = Literal["roi_manager", "overlay"]


def rois_to_imagej(labels: ArrayLike, image: Any = None, to: Target = "roi_manager") -> list[Any]:
    """Add one ROI for each label of a (Y, X) image to the ROI Manager or to the overlay of `image`; the ROIs.

    They are named by their labels (0001, 0002, ...); what is there already stays. Raises CellspanError, for example
    without a display, where ImageJ has no ROI Manager.
    """
    if to not in ("roi_manager", "overlay"):
        raise CellspanError(f"to = '{to}' is not possible: use 'roi_manager' or 'overlay'.")
    if to == "overlay" and image is None:
        raise CellspanError("An overlay belongs to an image: give the ImagePlus.")
    if to == "roi_manager" and is_headless():
        raise CellspanError("ImageJ has no ROI Manager without a display: use to='overlay'.")
    rois = labels_to_java_rois(labels)
    if to == "overlay":
        _add_to_overlay(rois, image)
    else:
        _on_event_thread(lambda: _add_to_manager(rois))
    return rois


def labels_to_java_rois(labels: ArrayLike) -> list[Any]:
    """One ImageJ ROI per label, in label order: polygons, or composites for objects with holes or several parts."""
    outlines = trace_outlines(labels)
    digits = max(4, len(str(len(outlines))))
    rois = []
    for label, loops in enumerate(outlines, 1):
        if loops:
            roi = _polygon(loops[0]) if len(loops) == 1 else _composite(loops)
            roi.setName(f"{label:0{digits}d}")
            rois.append(roi)
    return rois


def imagej_to_labels(source: Any, shape: tuple[int, int]) -> Labels:
    """A (Y, X) label image from an Overlay, a ROI Manager or the path of a RoiSet.zip: 1..n in their order.

    Pixels are those that ImageJ itself would fill; later ROIs cover earlier ones, and what lies outside is cut off.
    Raises CellspanError for lines and points, which have no inside.
    """
    labels = np.zeros(shape, np.int32)
    for label, roi in enumerate(_rois_in(source), 1):
        _paint(labels, roi, label)
    return labels


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
        manager.addRoi(roi)


def _on_event_thread(work: Callable[[], None]) -> None:
    """Run `work` where Java changes windows; off that thread, a visible ROI Manager breaks now and then."""
    import jpype

    queue = java_class("java.awt.EventQueue")
    if queue.isDispatchThread():
        work()
    else:
        queue.invokeAndWait(jpype.JProxy("java.lang.Runnable", dict={"run": work}))


def _rois_in(source: Any) -> Iterable[Any]:
    if isinstance(source, str | Path):
        return _rois_in_archive(Path(source))
    if hasattr(source, "getRoisAsArray"):  # a ROI Manager
        return list(source.getRoisAsArray())
    if hasattr(source, "toArray"):  # an overlay
        return list(source.toArray())
    raise CellspanError(f"ROIs come from an Overlay, a ROI Manager or a RoiSet.zip, not from {type(source).__name__}.")


def _rois_in_archive(path: Path) -> list[Any]:
    decoder = java_class("ij.io.RoiDecoder")
    try:
        with zipfile.ZipFile(path) as archive:
            files = [archive.read(name) for name in archive.namelist() if name.endswith(".roi")]
    except (OSError, zipfile.BadZipFile) as error:
        raise CellspanError(f"{path}: this is not a RoiSet.zip that can be read ({error}).") from None
    return [decoder.openFromByteArray(content) for content in files]


def _paint(labels: Labels, roi: Any, label: int) -> None:
    """Set the pixels of a ROI, inside the image, to `label`."""
    if not roi.isArea():
        raise CellspanError(f"The ROI '{roi.getName()}' is a line or a point and encloses no pixels.")
    inside = _mask(roi)
    left, top = int(roi.getBounds().x), int(roi.getBounds().y)
    height, width = labels.shape
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(height, top + inside.shape[0]), min(width, left + inside.shape[1])
    if y0 < y1 and x0 < x1:
        labels[y0:y1, x0:x1][inside[y0 - top : y1 - top, x0 - left : x1 - left]] = label


def _mask(roi: Any) -> NDArray[np.bool_]:
    """The pixels of a ROI's bounding box that ImageJ would fill; a rectangle has no mask and fills it all."""
    mask = roi.getMask()
    if mask is None:
        bounds = roi.getBounds()
        return np.ones((bounds.height, bounds.width), bool)
    return np.array(memoryview(mask.getPixels())).reshape(mask.getHeight(), mask.getWidth()) != 0
