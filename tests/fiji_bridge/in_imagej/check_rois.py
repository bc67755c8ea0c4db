"""Labels -> ROIs -> labels changes no pixel: for any shape, and through ROI objects, the overlay and a RoiSet.zip."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cellspan.core.errors import CellspanError
from cellspan.core.labels import renumber
from cellspan.core.outlines import labels_to_rois, write_roi_zip
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


def what_is_refused() -> None:
    labels = np.eye(3, dtype=np.int32)
    refused(lambda: rois_to_imagej(labels), "overlay")  # no ROI Manager without a display
    refused(lambda: rois_to_imagej(labels, to="overlay"), "ImagePlus")
    refused(lambda: rois_to_imagej(labels, to="table"), "table")
    refused(lambda: imagej_to_labels(folder / "missing.zip", (3, 3)), "missing.zip")
    refused(lambda: imagej_to_labels(7, (3, 3)), "int")
    line = imagej.java_class("ij.gui.Overlay")(imagej.java_class("ij.gui.Line")(0, 0, 3, 3))
    refused(lambda: imagej_to_labels(line, (3, 3)), "line")
    refused(lambda: connect(headless=False), "new Python")


def refused(call: Callable[[], object], culprit: str) -> None:
    with pytest.raises(CellspanError, match=re.escape(culprit)):
        call()


any_shape_through_the_overlay()
any_shape_through_a_file()
every_kind_of_object()
what_is_in_the_overlay_stays()
other_rois_are_painted_as_imagej_fills_them()
what_is_refused()
