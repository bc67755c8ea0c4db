"""`segment` finds in an ImagePlus the same labels as the engine in the same pixels, and draws them into its overlay."""

from __future__ import annotations

import sys

import imageio.v3 as imageio
import numpy as np

from cellspan.core import Parameters, Segmenter
from cellspan.fiji_bridge import connect, image_to_imagej, imagej_to_labels, segment

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
