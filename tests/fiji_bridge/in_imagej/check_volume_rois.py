"""ImageJ shows each ROI of a volume on its own slice, and those of one object in one colour."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from cellspan.core.results.volume_rois import volume_rois
from cellspan.core.training.simulate.volumes import simulated_volume
from cellspan.fiji_bridge import connect, image_to_imagej

imagej = connect()
pixels, labels = simulated_volume(3, (8, 60, 70), 3.0, 20)
stack = image_to_imagej(pixels, "stack", axes="ZYX")
assert not stack.isHyperStack()
overlay = imagej.java_class("ij.gui.Overlay")()
decoder = imagej.java_class("ij.io.RoiDecoder")
colours = defaultdict(set)
for roi in volume_rois(labels):
    decoded = decoder.openFromByteArray(roi.tobytes())
    overlay.add(decoded)
    colours[roi.name.split("-")[1]].add(str(decoded.getStrokeColor()))
stack.setOverlay(overlay)
for z, plane in enumerate(labels, 1):
    shown = [roi for roi in overlay.toArray() if roi.getPosition() == z]
    assert not any(roi.hasHyperStackPosition() for roi in shown)
    numbers = {int(str(roi.getName()).split("-")[1]): roi for roi in shown}
    assert set(numbers) == set(np.unique(plane)) - {0}
    for label, roi in numbers.items():
        inside = {(int(point.y), int(point.x)) for point in roi.getContainedPoints()}
        assert inside == set(zip(*(axis.tolist() for axis in np.nonzero(plane == label)), strict=True))
assert all(len(found) == 1 for found in colours.values())
assert len({next(iter(found)) for found in colours.values()}) == len(colours)
