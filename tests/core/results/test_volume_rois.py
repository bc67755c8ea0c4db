"""ROIs of a volume: every slice of every object has one, bound to its slice, and they give back the labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import roifile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellspan.core.objects.outlines import paint_loops, roi_loops, write_roi_zip
from cellspan.core.results.volume_rois import volume_rois
from cellspan.core.training.simulate.volumes import simulated_volume

pytestmark = pytest.mark.quick


def painted(rois: list[roifile.ImagejRoi], shape: tuple[int, ...]) -> np.ndarray:
    labels = np.zeros(shape, np.int32)
    for roi in rois:
        z, label = map(int, roi.name.split("-"))
        assert roi.position == z
        paint_loops(labels[z - 1], roi_loops(roi), label)
    return labels


@given(arrays(np.int32, (3, 5, 6), elements=st.integers(0, 5)))
def test_rois_give_back_the_labels(labels: np.ndarray) -> None:
    rois = volume_rois(labels)
    np.testing.assert_array_equal(painted(rois, labels.shape), labels)
    assert len(rois) == sum(len(np.unique(plane[plane > 0])) for plane in labels)


def test_names_and_colours_hold_an_object_together(tmp_path: Path) -> None:
    labels = simulated_volume(1, (12, 80, 90), 3.0, 20, "cells")[1]
    write_roi_zip(tmp_path / "rois.zip", volume_rois(labels))
    rois = roifile.roiread(tmp_path / "rois.zip")
    np.testing.assert_array_equal(painted(rois, labels.shape), labels)
    names = [roi.name for roi in rois]
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    colours = {(roi.name.split("-")[1], bytes(roi.stroke_color)) for roi in rois}
    assert len(colours) == labels.max()
    # A stack with slices only has plain positions; the others would make it appear on no slice.
    assert {(roi.c_position, roi.z_position, roi.t_position) for roi in rois} == {(0, 0, 0)}


def test_large_numbers_have_names_of_one_length() -> None:
    labels = np.zeros((2, 3, 9), np.int32)
    labels[:, 1, 1], labels[0, 1, 3], labels[1, 1, 5] = 255, 256, 12345
    rois = volume_rois(labels)
    assert [roi.name for roi in rois] == ["0001-00255", "0001-00256", "0002-00255", "0002-12345"]
    assert volume_rois(np.zeros((2, 3, 4), np.int32)) == []
