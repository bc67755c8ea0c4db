"""With a display, ROIs go to the ROI Manager, after those that the user has there, and come back exactly."""

from __future__ import annotations

import numpy as np

from cellspan.core import Parameters
from cellspan.fiji_bridge import connect, image_to_imagej, imagej_to_labels, rois_to_imagej, segment
from cellspan.fiji_bridge.gateway import on_event_thread

imagej = connect(headless=False)
manager = imagej.java_class("ij.plugin.frame.RoiManager").getRoiManager()
manager.addRoi(imagej.java_class("ij.gui.Roi")(90, 90, 5, 5))  # the user's own

labels = np.arange(64, dtype=np.int32).reshape(8, 8).repeat(10, 0).repeat(10, 1)
labels[3:6, 13:16] = 0  # a hole
rois_to_imagej(labels, to="roi_manager")

assert manager.getCount() == 64
assert [str(manager.getName(index)) for index in (1, 63)] == ["0001", "0063"]
back = imagej_to_labels(manager, (100, 100))
assert back[92, 92] == 1
np.testing.assert_array_equal(back[:80, :80], np.where(labels > 0, labels + 1, 0))

# On a hyperstack, selecting a ROI shows its plane.
hyperstack = image_to_imagej(np.zeros((2, 3, 2, 100, 100), np.uint8), "lapse", axes="TZCYX")
hyperstack.show()
on_event_thread(manager.reset)
stack = np.zeros((2, 3, 100, 100), np.int32)
stack[1, 2, 5:20, 5:20] = 1
(roi,) = rois_to_imagej(stack, hyperstack)
manager.select(0)
assert [int(hyperstack.getZ()), int(hyperstack.getT())] == [3, 2]
assert str(manager.getName(0)) == str(roi.getName()) == "0002-0003-0001"

# A label image opens in a window.
found = segment(np.zeros((50, 60), np.uint8), Parameters(model="nuclei"), to=("roi_manager", "labels"))
assert found.count == 0
assert found.label_image.getWindow() is not None

# Python ends although the windows of stacks are open, whose threads Java would wait for.
