"""`segment` takes a hyperstack as volumes, one a frame, and finds what the engine finds in the same voxels."""

from __future__ import annotations

import numpy as np
import xarray

from cellspan.core import Parameters, Segmenter
from cellspan.core.pictures.volume import volume_from_array
from cellspan.core.training.simulate import simulate_nuclei
from cellspan.fiji_bridge import connect, image_from_imagej, image_to_imagej, imagej_to_labels, segment

connect()
plane = simulate_nuclei((96, 96), diameter=20, seed=3).image
pixels = np.zeros((2, 4, *plane.shape), plane.dtype)  # t, pln, row, col
pixels[0, 1] = pixels[0, 2] = pixels[1, 0] = pixels[1, 1] = plane
steps = {"pln": 1.5, "row": 0.5, "col": 0.5}
joined = Parameters(model="nuclei", diameter=20, stitch_threshold=0.3)
segmenter = Segmenter("nuclei")

image = image_to_imagej(pixels, axes="TZYX")
scale = image.getCalibration()
scale.pixelDepth, scale.pixelHeight, scale.pixelWidth = steps.values()
coords = {name: np.arange(size) * steps[name] for name, size in zip(steps, pixels.shape[1:], strict=True)}
lapse = xarray.DataArray(pixels, dims=("t", *steps), coords=coords)

expected = [segmenter.segment(volume_from_array(frame, "ZYX", tuple(steps.values())), joined) for frame in pixels]
assert expected[0].count > 3
for form, to in ((image, ("overlay", "labels")), (lapse, None)):
    found = segment(form, joined, to)
    assert found.axes == "TZYX"
    assert found.count == sum(result.count for result in expected)
    assert [result.anisotropy for result in found.results] == [3.0, 3.0]
    np.testing.assert_array_equal(found.labels, np.stack([result.labels for result in expected]))
    if to:
        np.testing.assert_array_equal(image_from_imagej(found.label_image), found.labels)
        painted = imagej_to_labels(image.getOverlay(), found.labels.shape)
        np.testing.assert_array_equal(painted > 0, found.labels > 0)

# A single z-stack in 3D, from ImageJ and from numpy.
first = image_to_imagej(pixels[0], axes="ZYX")
volume = segment(first, Parameters(model="nuclei", diameter=20, do_3d=True), to="overlay")
assert volume.axes == "ZYX"
assert volume.count > 0
again = segment(pixels[0], Parameters(model="nuclei", diameter=20, do_3d=True))
np.testing.assert_array_equal(again.labels, volume.labels)
slices = {int(roi.getPosition()) for roi in volume.rois}
assert slices == {z + 1 for z in range(4) if volume.labels[z].any()}
