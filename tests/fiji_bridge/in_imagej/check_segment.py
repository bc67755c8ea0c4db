"""`segment` finds in an ImagePlus the same labels as the engine in the same pixels, in each plane of stacks too."""

from __future__ import annotations

import sys

import imageio.v3 as imageio
import numpy as np
import pytest
import xarray

from cellspan.core import Parameters, Segmenter
from cellspan.core.errors import CellspanError
from cellspan.fiji_bridge import connect, image_from_imagej, image_to_imagej, imagej_to_labels, segment

connect()
pixels = imageio.imread(sys.argv[1])
parameters = Parameters(model="nuclei")
expected = Segmenter("nuclei").segment(pixels, parameters).labels
assert expected.max() > 0

for form in (pixels, pixels.astype(np.uint16) * 256, pixels.astype(np.float32)):
    image = image_to_imagej(form)
    labels = segment(image, parameters, to="overlay").labels
    np.testing.assert_array_equal(labels, segment(form, parameters).labels)
    np.testing.assert_array_equal(imagej_to_labels(image.getOverlay(), labels.shape), labels)
np.testing.assert_array_equal(segment(image_to_imagej(pixels), parameters).labels, expected)

colours = np.stack([pixels, pixels // 2, pixels], axis=-1)
np.testing.assert_array_equal(segment(image_to_imagej(colours), parameters).labels, segment(colours, parameters).labels)

# Several targets at once; a label image and outlines of the same objects.
image = image_to_imagej(pixels)
found = segment(image, parameters, to=("overlay", "labels"))
assert found.count == len(found.rois) == image.getOverlay().size() == expected.max()
np.testing.assert_array_equal(image_from_imagej(found.label_image), expected)

# A time-lapse of z-stacks with two channels, as an ImagePlus and as pyimagej gives it in Python.
other = np.ascontiguousarray(pixels[::-1])
stack = np.zeros((2, 2, *pixels.shape, 2), np.uint8)  # t, pln, row, col, ch
stack[0, 0, ..., 1] = stack[1, 1, ..., 1] = pixels
stack[0, 1, ..., 1] = other
parameters = Parameters(model="nuclei", diameter=20, channel=1)
expected = [segment(plane, Parameters(model="nuclei", diameter=20)).labels for plane in (pixels, other)]
image = image_to_imagej(stack, axes="TZYXC")
lapse = xarray.DataArray(stack, dims=("t", "pln", "row", "col", "ch"))
for form, to in ((image, ("labels", "overlay")), (lapse, "labels")):
    found = segment(form, parameters, to=to)
    assert found.axes == "TZYX"
    for t, z, labels in ((0, 0, expected[0]), (0, 1, expected[1]), (1, 0, 0 * expected[0]), (1, 1, expected[0])):
        np.testing.assert_array_equal(found.labels[t, z], labels)
    assert found.notes == ["The image is constant, so there is nothing to find."]
    np.testing.assert_array_equal(image_from_imagej(found.label_image), found.labels)
np.testing.assert_array_equal(imagej_to_labels(image.getOverlay(), found.labels.shape) > 0, found.labels > 0)

# What cannot be is said before the work.
for form, to, words in (
    (pixels, "overlay", "give the ImagePlus"),
    (image, "roi_manager", "without a display"),
    (image, "table", "to = 'table'"),
):
    with pytest.raises(CellspanError, match=words):
        segment(form, parameters, to=to)
with pytest.raises(CellspanError, match="axes='ZYX'"):
    segment(stack, parameters)
