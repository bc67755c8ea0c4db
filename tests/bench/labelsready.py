"""A CellProfiler module for batch_96.py that does nothing: it hands on objects that were found before.

CellProfiler asks for a class of the file's name. The label images are `<image file>.npy` in a folder.
"""

from __future__ import annotations

import os.path

import numpy
from cellprofiler_core.module.image_segmentation import ImageSegmentation
from cellprofiler_core.object import Objects
from cellprofiler_core.setting.text import Text


class LabelsReady(ImageSegmentation):
    """Takes the place of IdentifyObjectsByFlow, so that all later modules have as much to do."""

    category = "Object Processing"
    module_name = "LabelsReady"
    variable_revision_number = 1

    def create_settings(self):
        super().create_settings()
        self.folder = Text("Folder of the label images", "")

    def settings(self):
        return [self.x_name, self.y_name, self.folder]

    def visible_settings(self):
        return self.settings()

    def run(self, workspace):
        image = workspace.image_set.get_image(self.x_name.value)
        name = workspace.measurements.get_current_image_measurement(f"FileName_{self.x_name.value}")
        objects = Objects()
        objects.segmented = numpy.load(os.path.join(self.folder.value, f"{name}.npy"))
        objects.parent_image = image
        workspace.object_set.add_objects(objects, self.y_name.value)
        self.add_measurements(workspace)
