"""\
IdentifyObjectsByFlow
=====================

**IdentifyObjectsByFlow** finds nuclei or whole cells with a trained network, also where they touch. You do not
choose a threshold or a way to split clumps: the network tells every pixel in which direction the centre of its
object lies, and pixels that lead to the same centre become one object.

|

============ ============ ===============
Supports 2D? Supports 3D? Respects masks?
============ ============ ===============
YES          NO           YES
============ ============ ===============

What you need first
^^^^^^^^^^^^^^^^^^^

The network runs in a small program of its own, the cellspan engine. Install it once, in a Python of its own (3.10 or
newer): ``pip install cellspan``, then ``cellspan install cellprofiler --to PLUGINS_FOLDER``. The module starts the
engine when it needs it; all workers of an analysis share one, and it ends by itself when it is idle.

Which input works
^^^^^^^^^^^^^^^^^

An image with one channel, as it comes from **NamesAndTypes**; it need not be rescaled or corrected. For nuclei: bright
objects on a dark background. Colour images are segmented by their luminance. Pixels outside the mask of a masked or
cropped image never become part of an object.

What you get
^^^^^^^^^^^^

Objects for every later module (**IdentifySecondaryObjects**, **MeasureObjectSizeShape** and so on), the same that
the command ``cellspan segment`` finds in the image file with the same settings.

Measurements made by this module
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

**Image measurements:**

-  *Count:* the number of objects.

**Object measurements:**

-  *Location\\_Center\\_X, Location\\_Center\\_Y:* the centre of mass of the object, in pixels.
-  *Number\\_Object\\_Number:* the object's number in the label image.

The method: Stringer C, Wang T, Michaelos M, Pachitariu M (2021) "Cellpose: a generalist algorithm for cellular
segmentation" *Nature Methods* 18, 100-106. (`link <https://doi.org/10.1038/s41592-020-01018-x>`__)
"""

from __future__ import annotations

import logging
import os.path
from typing import Any

import numpy
from cellprofiler_core.module.image_segmentation import ImageSegmentation
from cellprofiler_core.object import Objects
from cellprofiler_core.setting import Binary, Setting, ValidationError
from cellprofiler_core.setting.choice import Choice
from cellprofiler_core.setting.text import Float, Integer, Text
from cellspan_plugin import engine
from cellspan_plugin.filters import Filtered, discarded, filter_objects
from cellspan_plugin.pixels import engine_pixels

LOGGER = logging.getLogger(__name__)

MODEL_NUCLEI = "Nuclei"
MODEL_CELLS = "Cells"
MODEL_CUSTOM = "Custom"
ENGINE_NAMES = {MODEL_NUCLEI: "nuclei", MODEL_CELLS: "cyto"}


class IdentifyObjectsByFlow(ImageSegmentation):  # noqa: D101 - CellProfiler shows the docstring of the file as help
    category = "Object Processing"
    module_name = "IdentifyObjectsByFlow"
    variable_revision_number = 1

    def create_settings(self) -> None:
        """Every setting with its help; defaults and limits are those of the engine (a test compares them)."""
        super().create_settings()
        self.x_name.doc = "Select the image that shows the objects: one channel, or a colour image."
        self.y_name.text = "Name the objects to be identified"
        self.y_name.doc = "Enter the name that the objects shall have in later modules."

        self.model = Choice(
            "Select the model",
            [MODEL_NUCLEI, MODEL_CELLS, MODEL_CUSTOM],
            doc=f"""\
What the network was trained to find:

-  *{MODEL_NUCLEI}:* nuclei in fluorescence images.
-  *{MODEL_CELLS}:* whole cells.
-  *{MODEL_CUSTOM}:* a model of your own, trained or imported with cellspan.
""",
        )
        self.custom_model = Text(
            "Name or path of the custom model",
            "",
            doc="""\
Enter the name of a model that you imported, or the path of a model's folder or file. The command
``cellspan models list`` shows the names.
""",
        )
        self.automatic_diameter = Binary(
            "Estimate the diameter of the objects automatically?",
            True,
            doc="""\
Select *Yes* to let the network estimate the typical diameter, for each image anew. Select *No* to enter it: that
is faster, and better if the images show few objects or are all alike.
""",
        )
        self.diameter = Float(
            "Typical diameter of objects, in pixels",
            30.0,
            minval=0.1,
            maxval=4000.0,
            doc="""\
The image is scaled so that objects of this diameter have the size that the network knows. If objects are split,
enter a larger number; if neighbours are merged, a smaller one. To measure a diameter, use the *Measure Length* tool
in the toolbar of an image window.
""",
        )
        self.flow_threshold = Float(
            "Flow error threshold",
            0.4,
            minval=0.0,
            doc="""\
An object is kept if its shape fits the directions that the network saw; this is the largest error that it may
have. Increase it if good objects are missing; decrease it if there are objects of odd shapes. 0 keeps all.
""",
        )
        self.cellprob_threshold = Float(
            "Cell probability threshold",
            0.0,
            minval=-20.0,
            maxval=20.0,
            doc="""\
Pixels above this value belong to objects. Decrease it to find fainter objects and to get larger outlines; increase
it to get fewer and smaller ones. Useful values lie between -6 and 6.
""",
        )
        self.min_size = Integer(
            "Minimum size of objects, in pixels",
            15,
            minval=0,
            doc="Objects that cover fewer pixels (area, not diameter) are discarded.",
        )
        self.discard_border = Binary(
            "Discard objects touching the border of the image?",
            False,
            doc="""\
Select *Yes* to discard objects that are cut by the border and thus cannot be measured fully. If the image is masked
or cropped, this includes objects that touch the border of the mask.
""",
        )

    def settings(self) -> list[Setting]:
        """Every setting, in the order of the pipeline file: to append is possible, to reorder is not."""
        return [
            self.x_name,
            self.y_name,
            self.model,
            self.custom_model,
            self.automatic_diameter,
            self.diameter,
            self.flow_threshold,
            self.cellprob_threshold,
            self.min_size,
            self.discard_border,
        ]

    def visible_settings(self) -> list[Setting]:
        """Those settings that matter with the present choices."""
        irrelevant = []
        if self.model.value != MODEL_CUSTOM:
            irrelevant.append(self.custom_model)
        if self.automatic_diameter.value:
            irrelevant.append(self.diameter)
        return [setting for setting in self.settings() if not any(setting is other for other in irrelevant)]

    def upgrade_settings(
        self, setting_values: list[str], variable_revision_number: int, module_name: str
    ) -> tuple[list[str], int]:
        """Settings of older pipelines; so far there is one revision only."""
        return setting_values, variable_revision_number

    def validate_module(self, pipeline: Any) -> None:
        """Tell in the pipeline editor, before anything runs, what is missing."""
        if self.model.value == MODEL_CUSTOM and not self.custom_model.value.strip():
            raise ValidationError("Enter the name or the path of the model.", self.custom_model)
        try:
            engine.engine_command()
        except engine.NotInstalled as error:
            raise ValidationError(str(error), self.model) from None

    def volumetric(self) -> bool:
        """Stacks are not supported yet."""
        return False

    @staticmethod
    def is_object_identification_module() -> bool:
        """This module makes objects from images."""
        return True

    def run(self, workspace: Any) -> None:
        """Segment the image and add objects and measurements; whatever goes wrong is raised, never swallowed."""
        self.check_settings(workspace.pipeline)
        image = workspace.image_set.get_image(self.x_name.value)
        if image.volumetric:
            raise ValueError(f"{self.x_name.value} is a 3D image; IdentifyObjectsByFlow segments 2D images only.")
        result = engine.connect().segment(engine_pixels(image.pixel_data, image.scale), self.parameters())
        for note in result.notes:
            LOGGER.warning("%s, image set %d: %s", self.y_name.value, workspace.measurements.image_number, note)

        stages = filter_objects(result.labels, image.mask, self.min_size.value, self.discard_border.value)
        objects = Objects()
        objects.segmented = stages.segmented
        objects.unedited_segmented = stages.unedited_segmented
        objects.small_removed_segmented = stages.small_removed_segmented
        objects.parent_image = image
        workspace.object_set.add_objects(objects, self.y_name.value)
        self.add_measurements(workspace)
        if self.show_window:
            _remember(workspace.display_data, image.pixel_data, stages, result)

    def check_settings(self, pipeline: Any) -> None:
        """Validate once more: a headless run does not, and would silently replace a number that is out of range."""
        for setting in self.visible_settings()[2:]:
            try:
                setting.test_valid(pipeline)
            except ValidationError as error:
                raise ValueError(f"{setting.text}: {error}") from None
        self.validate_module(pipeline)

    def parameters(self) -> dict[str, Any]:
        """The engine's options. Small objects and those at the border are left to filters.py, which says why."""
        return {
            "model": self.model_name(),
            "diameter": None if self.automatic_diameter.value else self.diameter.value,
            "flow_threshold": self.flow_threshold.value,
            "cellprob_threshold": self.cellprob_threshold.value,
            "min_size": 0,
            "exclude_on_edges": False,
        }

    def model_name(self) -> str:
        """The engine's name of the model; a path is made absolute, because the engine runs in another folder."""
        if self.model.value != MODEL_CUSTOM:
            return ENGINE_NAMES[self.model.value]
        text = os.path.expanduser(self.custom_model.value.strip())
        is_path = os.path.basename(text) != text  # a bare name never means a folder that happens to be there
        return os.path.abspath(text) if is_path else text

    def display(self, workspace: Any, figure: Any) -> None:
        """The image, the objects, the outlines on the image and a table, as in IdentifyPrimaryObjects."""
        data = workspace.display_data
        name = self.y_name.value
        is_colour = data.image.ndim == 3
        show = figure.subplot_imshow_color if is_colour else figure.subplot_imshow_grayscale
        outlines = [
            {"name": name, "labels": [data.labels]},
            {"name": "Objects filtered out by size", "labels": [data.too_small]},
            {"name": "Objects touching border", "labels": [data.at_border]},
        ]
        figure.set_subplots((2, 2))
        axes = show(0, 0, data.image, f"{self.x_name.value}, cycle #{workspace.measurements.image_number}")
        figure.subplot_imshow_labels(1, 0, data.labels, name, sharexy=axes)
        show(0, 1, data.image, f"{name} outlines", cplabels=outlines, sharexy=axes)
        figure.subplot_table(
            1, 1, [[value] for _, value in data.statistics], row_labels=[title for title, _ in data.statistics]
        )


def _remember(display_data: Any, image: numpy.ndarray, stages: Filtered, result: Any) -> None:
    """Leave what display() shows; arrays and text only, because it may travel between processes."""
    display_data.image = image
    display_data.labels = stages.segmented
    display_data.too_small = discarded(stages.unedited_segmented, stages.small_removed_segmented)
    display_data.at_border = discarded(stages.small_removed_segmented, stages.segmented)
    display_data.statistics = _statistics(stages.segmented, result)


def _statistics(labels: numpy.ndarray, result: Any) -> list[tuple[str, str]]:
    """The rows of the table."""
    areas = numpy.bincount(labels.ravel(), minlength=1)[1:]
    rows = [("# of accepted objects", str(len(areas)))]
    if len(areas):
        low, median, high = numpy.percentile(2 * numpy.sqrt(areas / numpy.pi), (10, 50, 90))
        rows += [
            ("10th pctile diameter", f"{low:.1f} pixels"),
            ("Median diameter", f"{median:.1f} pixels"),
            ("90th pctile diameter", f"{high:.1f} pixels"),
            ("Area covered by objects", f"{100 * areas.sum() / labels.size:.1f} %"),
        ]
    return [*rows, ("Model", result.model), ("Diameter used", f"{result.diameter:.1f} pixels")]
