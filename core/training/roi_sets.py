"""Outlines drawn or corrected in ImageJ as annotations: RoiSet.zip files and overlays in TIFF files."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE, ImagejRoi
from scipy.interpolate import CubicSpline

from cellspan.core.errors import CellspanError, first_line
from cellspan.core.files.archives import read_member
from cellspan.core.files.regular import is_regular, open_regular
from cellspan.core.machine.memory import in_words, require_memory
from cellspan.core.objects.labels import Labels
from cellspan.core.objects.outlines import paint_loops
from cellspan.core.pictures.inputs import TIFF_SUFFIXES

ROI_MARKS = ("_rois", "_roiset")  # <image>_rois.zip, which cellspan writes too; in lower case
ONLY = "roiset"  # the name that ImageJ suggests: ROIs of the only image in a folder
LARGEST_ROI = 64 << 20  # bytes; an outline of a million points has 8 million
FURTHEST = 1e7  # pixels from the corner of the image; no point of an outline is there
POINTS_OF_CURVE = 8  # in place of each curved side

_POLYGONS = {ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED}  # ellipses and turned rectangles are stored so too
_AREAS = _POLYGONS | {ROI_TYPE.RECT, ROI_TYPE.OVAL}
_NOT_AREAS = {ROI_SUBTYPE.TEXT, ROI_SUBTYPE.IMAGE, ROI_SUBTYPE.ARROW}
_MOVE_TO, _LINE_TO, _QUADRATIC_TO, _CUBIC_TO, _CLOSE = range(5)  # codes of java.awt.geom.PathIterator
_NUMBERS_AFTER = {_MOVE_TO: 2, _LINE_TO: 2, _QUADRATIC_TO: 4, _CUBIC_TO: 6, _CLOSE: 0}

Points = NDArray[np.float64]  # (n, 2): x, y


def has_overlay(image: Path) -> bool:
    """Whether an image is a TIFF file with outlines, as ImageJ saves images with an overlay."""
    return bool(_overlay(image))


def read_annotation(path: Path, shape: tuple[int, int]) -> Labels:
    """Paint the ROIs of a RoiSet.zip, or of a TIFF's overlay, into a label image of `shape` (height, width), 1..n.

    Pixels are the same as ImageJ fills, except for a few at the edge of fitted splines; later ROIs cover earlier ones.
    Lines, points and text are ignored (see `note_on`). Raises CellspanError for files without outlines, and for an
    outline outside the image.
    """
    rois = read_rois(path)
    areas = [roi for roi in rois if _is_area(roi)]
    if not rois:
        raise CellspanError(f"{path}: it contains no ROIs; draw outlines and save them again.")
    if not areas:
        raise CellspanError(f"{path}: its ROIs are lines, points or text, which enclose no pixels; draw outlines.")
    labels = np.zeros(shape, np.int32)
    for label, roi in enumerate(areas, 1):
        _paint(labels, roi, label, path)
    return labels


def note_on(path: Path) -> str:
    """A note about ROIs that `read_annotation` ignores in a file; empty if there are none."""
    rois = read_rois(path)
    left_out = sum(not _is_area(roi) for roi in rois)
    return f"{path}: {left_out} of {len(rois)} ROIs are lines, points or text and are ignored." if left_out else ""


def read_rois(path: Path) -> list[ImagejRoi]:
    """The ROIs of a RoiSet.zip, or of a TIFF's overlay; raises CellspanError that names the file."""
    try:
        contents = list(_archived(path)) if path.suffix.lower() == ".zip" else _overlay(path)
        return [ImagejRoi.frombytes(content) for content in contents]
    except CellspanError as error:
        raise CellspanError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
    except MemoryError:
        raise CellspanError(f"{path}: its ROIs do not fit into the free memory.") from None
    except Exception as error:  # noqa: BLE001 - decoders raise anything on damaged files
        raise CellspanError(
            f"{path}: its ROIs cannot be read ({first_line(error)}); save them again in ImageJ."
        ) from None


def _archived(path: Path) -> Iterator[bytes]:
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if member.filename.lower().endswith(".roi")]
        total = sum(member.file_size for member in members)
        # Each as bytes, and as the points that are made of them.
        require_memory(3 * total, f"it declares {len(members)} ROIs of {in_words(total)}; reading them")
        for member in members:
            yield read_member(archive, member, LARGEST_ROI)


def _overlay(image: Path) -> list[bytes]:
    """The ROIs of the overlay that ImageJ stored in a TIFF file."""
    if image.suffix.lower() not in TIFF_SUFFIXES or not is_regular(image):
        return []
    try:
        with tifffile.TiffFile(image) as tiff:
            found = (tiff.imagej_metadata or {}).get("Overlays", [])
    except Exception:  # noqa: BLE001 - tifffile raises anything; those who read the pixels report a damaged image
        return []
    return [found] if isinstance(found, bytes) else list(found)


def _is_area(roi: ImagejRoi) -> bool:
    return roi.roitype in _AREAS and roi.subtype not in _NOT_AREAS


def _paint(labels: Labels, roi: ImagejRoi, label: int, path: Path) -> None:
    height, width = labels.shape
    if roi.right <= 0 or roi.bottom <= 0 or roi.left >= width or roi.top >= height:
        raise CellspanError(
            f"{path}: the ROI {roi.name[:80]!r} lies outside the image of {width} x {height} pixels; "
            "check that the ROIs belong to this image."
        )
    if roi.roitype == ROI_TYPE.OVAL:
        _paint_oval(labels, roi, label)
        return
    try:
        loops = _loops(roi)
        possible = all(np.abs(loop).max(initial=0) < FURTHEST for loop in loops)  # False for NaN, too
    except (IndexError, KeyError, OverflowError, TypeError, ValueError):  # paths with codes or lengths that are none
        possible = False
    if not possible:
        raise CellspanError(f"{path}: the ROI {roi.name[:80]!r} is damaged; draw it again or delete it.")
    paint_loops(labels, loops, label)


def _paint_oval(labels: Labels, roi: ImagejRoi, label: int) -> None:
    """The pixels whose centres lie inside the ellipse in the ROI's box."""
    height, width = roi.bottom - roi.top, roi.right - roi.left
    y0, x0 = max(0, roi.top), max(0, roi.left)
    part = labels[y0 : roi.bottom, x0 : roi.right]  # limited to the image: an oval may declare 65535 x 65535
    y = (np.arange(y0 - roi.top, y0 - roi.top + part.shape[0]) + 0.5 - height / 2) / (height / 2)
    x = (np.arange(x0 - roi.left, x0 - roi.left + part.shape[1]) + 0.5 - width / 2) / (width / 2)
    part[y[:, None] ** 2 + x[None] ** 2 <= 1] = label


def _loops(roi: ImagejRoi) -> list[Points]:
    if roi.multi_coordinates is not None and roi.shape_roi_size:
        return list(_loops_of_path(np.asarray(roi.multi_coordinates, np.float64)))
    if roi.roitype == ROI_TYPE.RECT:
        return [_rectangle(roi)]
    corners = np.asarray(roi.coordinates(), np.float64)
    return [_smooth(corners) if roi.options & ROI_OPTIONS.SPLINE_FIT and len(corners) > 2 else corners]


def _rectangle(roi: ImagejRoi) -> Points:
    """The corners of a box, or points around it if its corners are round."""
    sides = np.array([roi.right - roi.left, roi.bottom - roi.top], np.float64)
    radii = np.minimum(roi.rounded_rect_arc_size, sides) / 2
    angles = np.linspace(0, 2 * np.pi, 16 * POINTS_OF_CURVE, endpoint=False) + 1e-6  # none lies between two quarters
    around = np.stack([np.cos(angles), np.sin(angles)], 1)
    quarters = np.sign(around)
    result: Points = np.array([roi.left, roi.top]) + sides / 2 + quarters * (sides / 2 - radii) + around * radii
    return result


def _smooth(corners: Points) -> Points:
    """The closed curve through the corners, for outlines to which a spline was fitted."""
    closed = np.concatenate([corners, corners[:1]])
    places = np.linspace(0, len(corners), POINTS_OF_CURVE * len(corners), endpoint=False)
    return np.asarray(CubicSpline(np.arange(len(closed)), closed, bc_type="periodic")(places))


def _loops_of_path(path: NDArray[np.float64]) -> Iterator[Points]:
    """The closed loops of a java.awt path; curves become short straight sides."""
    points: list[Points] = []
    start = 0
    while start < len(path):
        code = int(path[start])
        end = start + 1 + _NUMBERS_AFTER[code]
        if code in (_MOVE_TO, _CLOSE) and points:
            yield np.array(points)
            points = []
        ends = path[start + 1 : end].reshape(-1, 2)
        points += list(ends if code in (_MOVE_TO, _LINE_TO) else _curve(points[-1], ends) if len(ends) else [])
        start = end
    if points:
        yield np.array(points)


def _curve(first: Points, others: Points) -> Points:
    """Points of a Bezier curve, without its first (de Casteljau's construction)."""
    t = np.arange(1, POINTS_OF_CURVE + 1)[:, None] / POINTS_OF_CURVE
    level = [np.broadcast_to(point, (POINTS_OF_CURVE, 2)) for point in (first, *others)]
    while len(level) > 1:
        level = [(1 - t) * a + t * b for a, b in pairwise(level)]
    return level[0]
