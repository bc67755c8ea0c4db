"""With a display, ROIs go to the ROI Manager, after those that the user has there, and come back exactly."""

from __future__ import annotations

import numpy as np

from cellspan.fiji_bridge import connect, imagej_to_labels, rois_to_imagej

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
