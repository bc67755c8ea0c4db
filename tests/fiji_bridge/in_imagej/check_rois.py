"""Labels -> ROIs -> labels changes no pixel: for any shape, and through ROI objects, the overlay and a RoiSet.zip."""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jpype
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cellspan.core.errors import CellspanError
from cellspan.core.objects.labels import renumber
from cellspan.core.objects.outlines import labels_to_rois, write_roi_zip
from cellspan.core.results.cellpose_files import write_outlines
from cellspan.core.training.roi_sets import read_annotation
from cellspan.fiji_bridge import connect, image_to_imagej, imagej_to_labels, labels_to_imagej, rois_to_imagej
from cellspan.fiji_bridge.rois import labels_to_java_rois

imagej = connect()
folder = Path(sys.argv[1])

# Few labels on few pixels: objects with holes, in several parts, touching at corners and at the border.
LABELS = arrays.arrays(np.int32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3)).map(
    renumber
)


@settings(deadline=None, max_examples=300)
@given(LABELS)
def any_shape_through_the_overlay(labels: np.ndarray) -> None:
    image = labels_to_imagej(labels)
    rois = rois_to_imagej(labels, image, to="overlay")
    assert [str(roi.getName()) for roi in rois] == [roi.name for roi in labels_to_rois(labels)]
    if rois:
        np.testing.assert_array_equal(imagej_to_labels(image.getOverlay(), labels.shape), labels)


@settings(deadline=None, max_examples=100)
@given(LABELS)
def any_shape_through_a_file(labels: np.ndarray) -> None:
    path = folder / "RoiSet é.zip"
    write_roi_zip(path, labels_to_rois(labels))
    np.testing.assert_array_equal(imagej_to_labels(path, labels.shape), labels)


def every_kind_of_object() -> None:
    labels = np.zeros((40, 50), np.int32)
    labels[2:20, 2:20] = 1
    labels[6:12, 6:12] = 2  # in a hole of 1
    labels[30:35, 5:9] = labels[36:39, 20:25] = 3  # in two parts
    labels[0:4, 40:50] = 4  # at the border
    labels[25, 25] = labels[26, 26] = 5  # pixels that touch at a corner
    rois = labels_to_java_rois(labels)
    assert [str(roi.getTypeAsString()) for roi in rois] == ["Composite", "Polygon", "Composite", "Polygon", "Composite"]
    for label, roi in enumerate(rois, 1):
        painted = imagej.java_class("ij.process.ByteProcessor")(50, 40)
        painted.setValue(255)
        painted.fill(roi)
        inside = np.array(memoryview(painted.getPixels())).reshape(40, 50) != 0
        np.testing.assert_array_equal(inside, labels == label)


def outlines_in_cellposes_own_files() -> None:
    labels = np.zeros((40, 50), np.int32)
    labels[2:20, 2:20] = 1
    labels[18:20, 18:20] = 0
    labels[0:4, 40:50] = 2  # at the border
    labels[30, 30] = 3
    np.save(folder / "a_seg.npy", {"masks": labels[None]}, allow_pickle=True)  # type: ignore[arg-type]
    np.testing.assert_array_equal(imagej_to_labels(folder / "a_seg.npy", labels.shape), labels)
    stack = np.stack([0 * labels, labels])
    np.save(folder / "b_seg.npy", {"masks": stack}, allow_pickle=True)  # type: ignore[arg-type]
    np.testing.assert_array_equal(imagej_to_labels(folder / "b_seg.npy", stack.shape), stack)

    write_outlines(folder / "a_cp_outlines.txt", labels)  # and read as Cellpose's macro for ImageJ does it
    painted = imagej.java_class("ij.process.ByteProcessor")(50, 40)
    polygon = imagej.java_class("ij.gui.PolygonRoi")
    for number, line in enumerate((folder / "a_cp_outlines.txt").read_text().splitlines(), 1):
        points = list(map(int, line.split(",")))
        x, y = (jpype.JArray(jpype.JInt)(points[axis::2]) for axis in (0, 1))
        painted.setValue(number)
        painted.fill(polygon(x, y, len(x), polygon.POLYGON))
    np.testing.assert_array_equal(np.array(memoryview(painted.getPixels())).reshape(40, 50), labels)


def what_is_in_the_overlay_stays() -> None:
    image = image_to_imagej(np.zeros((9, 9), np.uint8))
    own = imagej.java_class("ij.gui.OvalRoi")(1, 1, 4, 4)
    image.setOverlay(imagej.java_class("ij.gui.Overlay")(own))
    rois_to_imagej(np.eye(9, dtype=np.int32), image, to="overlay")
    assert image.getOverlay().size() == 2
    assert image.getOverlay().get(0).equals(own)


def other_rois_are_painted_as_imagej_fills_them() -> None:
    oval = imagej.java_class("ij.gui.OvalRoi")(-3, 2, 8, 5)
    box = imagej.java_class("ij.gui.Roi")(4, 6, 20, 20)
    overlay = imagej.java_class("ij.gui.Overlay")(oval)
    overlay.add(box)
    expected = imagej.java_class("ij.process.ByteProcessor")(10, 12)
    for value, roi in ((1, oval), (2, box)):
        expected.setValue(value)
        expected.fill(roi)
    painted = np.array(memoryview(expected.getPixels())).reshape(12, 10)
    np.testing.assert_array_equal(imagej_to_labels(overlay, (12, 10)), painted)


def each_roi_has_its_plane() -> None:
    labels = np.zeros((2, 3, 9, 8), np.int32)
    for t in range(2):
        for z in range(3):
            labels[t, z, 1 : 3 + z, 1 : 4 + t] = 1
            labels[t, z, 7:9, 6:8] = 2
    image = image_to_imagej(np.zeros((2, 3, 2, 9, 8), np.uint8), axes="TZCYX")
    assert image.isHyperStack()
    rois = rois_to_imagej(labels, image, to="overlay")
    assert [str(roi.getName()) for roi in rois[:3]] == ["0001-0001-0001", "0001-0001-0002", "0001-0002-0001"]
    last = rois[-1]
    assert [int(n) for n in (last.getCPosition(), last.getZPosition(), last.getTPosition())] == [0, 3, 2]
    back = imagej_to_labels(image.getOverlay(), labels.shape)
    np.testing.assert_array_equal(back > 0, labels > 0)
    assert back.max() == 12

    slices = image_to_imagej(np.zeros((3, 9, 8), np.uint8), axes="ZYX")
    assert not slices.isHyperStack()
    assert [int(roi.getPosition()) for roi in rois_to_imagej(labels[0], slices, to="overlay")] == [1, 1, 2, 2, 3, 3]
    np.testing.assert_array_equal(imagej_to_labels(slices.getOverlay(), (3, 9, 8)) > 0, labels[0] > 0)

    frames = image_to_imagej(np.zeros((2, 9, 8), np.uint8), axes="TYX")
    named = [str(roi.getName()) for roi in rois_to_imagej(labels[:, 0], frames, to="overlay")]
    assert named == ["0001-0001", "0001-0002", "0002-0001", "0002-0002"]
    back = imagej_to_labels(frames.getOverlay(), (2, 9, 8), "TYX")
    np.testing.assert_array_equal(back > 0, labels[:, 0] > 0)


def labels_of_one_plane_belong_to_the_plane_that_is_shown() -> None:
    stack = image_to_imagej(np.zeros((4, 9, 9), np.uint8), axes="ZYX")
    stack.setSlice(3)
    assert [int(roi.getPosition()) for roi in rois_to_imagej(np.eye(9, dtype=int), stack, to="overlay")] == [3]
    channels = image_to_imagej(np.zeros((4, 9, 9), np.uint8), axes="CYX")
    (roi,) = rois_to_imagej(np.eye(9, dtype=int), channels, to="overlay")
    assert [int(roi.getPosition()), bool(roi.hasHyperStackPosition())] == [0, False]  # of every channel


def rois_without_a_position_are_those_of_every_plane() -> None:
    overlay = imagej.java_class("ij.gui.Overlay")(imagej.java_class("ij.gui.Roi")(1, 1, 2, 2))
    assert (imagej_to_labels(overlay, (3, 5, 5)) == 1).sum() == 12
    overlay.get(0).setPosition(4)
    refused(lambda: imagej_to_labels(overlay, (3, 5, 5)), "slice 1 and frame 2")


def annotations_are_painted_as_imagej_fills_them() -> None:
    """What training reads without Java, for random ROIs of every kind."""
    rng = np.random.default_rng(0)
    byte, encoder = imagej.java_class("ij.process.ByteProcessor"), imagej.java_class("ij.io.RoiEncoder")
    for kind, make in KINDS.items():
        for _ in range(30):
            roi = make(rng)
            roi.setName(kind)
            painted = byte(64, 64)
            painted.setValue(255)
            painted.fill(roi)
            expected = np.array(memoryview(painted.getPixels())).reshape(64, 64) != 0
            with zipfile.ZipFile(folder / "one.zip", "w") as archive:
                archive.writestr("1.roi", bytes(encoder.saveAsByteArray(roi)))
            found = read_annotation(folder / "one.zip", (64, 64)) > 0
            assert (found != expected).sum() <= (12 if kind == "spline" else 0), kind


def floats(values: np.ndarray) -> object:
    return jpype.JArray(jpype.JFloat)([float(value) for value in values])


def star(rng: np.random.Generator, kind: int, rounded: bool = False, corners: int = 0) -> object:
    """A polygon of ImageJ (kind 2) or a free-hand outline (3) around (30, 30)."""
    count = corners or rng.integers(3, 40)
    angles = np.sort(rng.uniform(0, 2 * np.pi, count)) if not corners else np.arange(count) * 2 * np.pi / count
    radii = rng.uniform(15 if corners else 5, 20 if corners else 25, count)
    x, y = 30 + radii * np.cos(angles), 30 + radii * np.sin(angles)
    return ij("PolygonRoi")(*(floats(np.rint(v) if rounded else v) for v in (x, y)), kind)


def spline(rng: np.random.Generator) -> object:
    roi = star(rng, 2, corners=int(rng.integers(8, 30)))
    roi.fitSpline()
    return roi


def ij(name: str) -> Any:
    return imagej.java_class("ij.gui." + name)


def whole(rng: np.random.Generator, *ranges: tuple[int, int]) -> list[int]:
    return [int(rng.integers(*limits)) for limits in ranges]


def real(rng: np.random.Generator, *ranges: tuple[float, float]) -> list[float]:
    return [float(rng.uniform(*limits)) for limits in ranges]


PLACE, SIZE, ANYWHERE = [(0, 30)] * 2, [(6, 50)] * 2, [(10, 50)] * 4
KINDS = {
    "rectangle": lambda rng: ij("Roi")(*whole(rng, *PLACE, *SIZE)),
    "rectangle between pixels": lambda rng: ij("Roi")(*real(rng, *PLACE, *SIZE)),
    "round corners": lambda rng: ij("Roi")(*whole(rng, *PLACE, (10, 50), (10, 50)), 8),
    "oval": lambda rng: ij("OvalRoi")(*whole(rng, (-5, 30), (-5, 30), *SIZE)),
    "ellipse": lambda rng: ij("EllipseRoi")(*real(rng, *ANYWHERE, (0.2, 1))),
    "turned rectangle": lambda rng: ij("RotatedRectRoi")(*real(rng, *ANYWHERE, (2, 20))),
    "polygon": lambda rng: star(rng, 2, rounded=True),
    "polygon between pixels": lambda rng: star(rng, 2),
    "free hand": lambda rng: star(rng, 3),
    "spline": spline,
    "hole": lambda rng: ij("ShapeRoi")(ij("OvalRoi")(*whole(rng, *PLACE), 30, 30)).not_(
        ij("ShapeRoi")(ij("OvalRoi")(*whole(rng, *PLACE), 12, 9))
    ),
    "two parts": lambda rng: ij("ShapeRoi")(star(rng, 2)).or_(ij("ShapeRoi")(star(rng, 3))),
}


def what_is_refused() -> None:
    labels = np.eye(3, dtype=np.int32)
    refused(lambda: rois_to_imagej(labels), "overlay")  # no ROI Manager without a display
    refused(lambda: rois_to_imagej(labels, to="overlay"), "ImagePlus")
    refused(lambda: rois_to_imagej(labels, to="table"), "table")
    refused(lambda: imagej_to_labels(folder / "missing.zip", (3, 3)), "missing.zip")
    refused(lambda: imagej_to_labels(7, (3, 3)), "int")
    line = imagej.java_class("ij.gui.Overlay")(imagej.java_class("ij.gui.Line")(0, 0, 3, 3))
    refused(lambda: imagej_to_labels(line, (3, 3)), "line")
    refused(lambda: rois_to_imagej(labels, image_to_imagej(np.zeros((4, 5), np.uint8)), "overlay"), "'image' 5 x 4")
    refused(
        lambda: rois_to_imagej(np.zeros((1, 1, 1, 3, 3), int), labels_to_imagej(labels), "overlay"), "(1, 1, 1, 3, 3)"
    )
    refused(lambda: imagej_to_labels(line, (3,)), "(3,)")
    refused(lambda: connect(headless=False), "new Python")


def refused(call: Callable[[], object], culprit: str) -> None:
    with pytest.raises(CellspanError, match=re.escape(culprit)):
        call()


any_shape_through_the_overlay()
any_shape_through_a_file()
every_kind_of_object()
outlines_in_cellposes_own_files()
what_is_in_the_overlay_stays()
other_rois_are_painted_as_imagej_fills_them()
each_roi_has_its_plane()
labels_of_one_plane_belong_to_the_plane_that_is_shown()
rois_without_a_position_are_those_of_every_plane()
annotations_are_painted_as_imagej_fills_them()
what_is_refused()
