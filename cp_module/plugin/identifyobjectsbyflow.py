"""\
IdentifyObjectsByFlow
=====================

**IdentifyObjectsByFlow** finds nuclei or whole cells with a trained neural network, even where they touch. You do not
need to choose a threshold or a way to split clumps: for every pixel, the network predicts the direction towards the
centre of its object, and pixels that lead to the same centre become one object. *Find Modules* also finds this module
as **SegmentCellsAndNuclei**.

|

============ ============ ===============
Supports 2D? Supports 3D? Respects masks?
============ ============ ===============
YES          YES          YES
============ ============ ===============

What do I need first?
^^^^^^^^^^^^^^^^^^^^^

The network runs in a separate program, the cellspan engine. Install it once, in its own Python (3.10 or newer):
``pip install cellspan``, then ``cellspan install cellprofiler --to PLUGINS_FOLDER``. The module starts the engine when
it is needed. All workers of an analysis share one engine, which stops when it is idle. If you unpacked cellspan's zip
for CellProfiler, the module offers to install the engine when it runs first.

What do I need as input?
^^^^^^^^^^^^^^^^^^^^^^^^

An image with one channel from **NamesAndTypes**; you do not need to rescale or correct it. For cells, you can add an
image of the nuclei. If several dyes stain the same objects, up to three images become one. Colour images are segmented
by their brightness. If the image is masked or cropped, pixels outside the mask are never part of an object, and may be
NaN.

Z-stacks give 3D objects if *Process as 3D?* is *Yes* in **NamesAndTypes**. Enter the distance between slices there, as
*Relative pixel spacing in Z*. The models are the same as in 2D; *How should 3D images be segmented?* is shown for them.

What do I get as output?
^^^^^^^^^^^^^^^^^^^^^^^^

Objects for any later module (**IdentifySecondaryObjects**, **MeasureObjectSizeShape** and so on). They are identical to
those that the command ``cellspan segment`` finds in the image file with the same settings. If you identify cells and
nuclei together, you get cells, nuclei and cytoplasm, each cell with its nucleus, as from **IdentifyPrimaryObjects**,
**IdentifySecondaryObjects** and **IdentifyTertiaryObjects**. You can also save the probability, the flows and the
restored image.

Measurements made by this module
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

**Image measurements:**

-  *Count:* the number of objects.
-  *Flow\\_Diameter, Flow\\_Model, Flow\\_ModelSHA256, Flow\\_Seconds, Flow\\_Device, Flow\\_Notes:* the diameter that
   was used (entered or estimated), the model and its checksum, the computing time, the device, and any warnings.

**Object measurements:**

-  *Location\\_Center\\_X, Location\\_Center\\_Y, Location\\_Center\\_Z:* the centre of mass of the object, in pixels; Z
   is in slices, and 0 in 2D.
-  *Number\\_Object\\_Number:* the object's number in the label image.
-  *Flow\\_MeanProbability:* the mean of the network's output in the object, as a logit: 0 is undecided, 5 is certain.
-  *Flow\\_FlowError:* how much the predicted flows differ from the flows of an ideal object of this shape.
-  *Flow\\_NucleiCount:* the number of nuclei in a cell, if cells and nuclei were identified together.
-  *Parent, Children:* which nucleus belongs to which cell and cytoplasm.

The method: Stringer C, Wang T, Michaelos M, Pachitariu M (2021) "Cellpose: a generalist algorithm for cellular
segmentation" *Nature Methods* 18, 100-106. (`link <https://doi.org/10.1038/s41592-020-01018-x>`__)
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import numpy
from cellprofiler_core.constants.measurement import COLTYPE_INTEGER
from cellprofiler_core.image import Image
from cellprofiler_core.module.image_segmentation import ImageSegmentation
from cellprofiler_core.object import Objects
from cellprofiler_core.setting import Setting, ValidationError
from cellprofiler_core.setting.do_something import DoSomething
from cellprofiler_core.setting.range import FloatRange
from cellprofiler_core.setting.subscriber import LabelSubscriber
from cellprofiler_core.setting.text import ImageName, LabelName, Number
from cellspan_plugin import engine, measurements
from cellspan_plugin.display import Shown, draw
from cellspan_plugin.downloading import DOWNLOAD_HELP, download_model, tell_problem, window
from cellspan_plugin.filters import Filtered, filter_objects
from cellspan_plugin.first_use import can_offer, ensure_engine
from cellspan_plugin.layout import (
    ADVANCED,
    BASIC,
    DEVICE_AUTOMATIC,
    DEVICE_CPU,
    DEVICE_GPU,
    DISCARD,
    ENGINE_PATH,
    EVERYWHERE,
    KEEP,
    LABELS,
    LIMITS,
    MASK_IMAGE,
    MODEL_CELLS,
    MODEL_CUSTOM,
    MODEL_NUCLEI,
    NUCLEI_EXIST,
    REVISION,
    SPLIT,
    UNSCALED,
    upgraded,
)
from cellspan_plugin.models import forget_models, list_models, name_in
from cellspan_plugin.pairing import Pairs, nuclei_of_discarded_cells, pair
from cellspan_plugin.partners import OFFERED, RESTORING, partner_for_nuclei
from cellspan_plugin.pictures import flow_image, probability_image, restored_plane
from cellspan_plugin.recent import Recent
from cellspan_plugin.sending import Sent, nothing_found, sent
from cellspan_plugin.settings import DEFAULT_NAMES, irrelevant, make_settings
from cellspan_plugin.table import NO_PARTNER
from cellspan_plugin.volumes import anisotropy_of, options, size_of
from cellspan_plugin.waiting import Stopped, attend, end_step

LOGGER = logging.getLogger(__name__)

ENGINE_MODELS = {MODEL_NUCLEI: "nuclei", MODEL_CELLS: "cyto"}
ENGINE_DEVICES = {DEVICE_AUTOMATIC: "auto", DEVICE_CPU: "cpu", DEVICE_GPU: "gpu"}
PAIRING_RULES = {KEEP: "keep", DISCARD: "discard", SPLIT: "split"}
# the settings that are the engine's options of the same name
SENT = ("flow_threshold", "cellprob_threshold", "fill_holes", "invert", "augment", "tile_overlap")
RECENT = Recent()  # of test mode


class IdentifyObjectsByFlow(ImageSegmentation):  # noqa: D101 - CellProfiler shows the docstring of the file as help
    category = "Object Processing"
    module_name = "IdentifyObjectsByFlow"
    variable_revision_number = REVISION

    def create_settings(self) -> None:
        """Make an attribute for every setting of the layout."""
        super().create_settings()
        self.choices: dict[str, list[str]] = {"custom_model": [""], "restoring_model": list(OFFERED)}
        for name, setting in make_settings(self.choices).items():
            setattr(self, name, setting)
        # A button, so it is in the panel and not in the pipeline file.
        self.download = DoSomething("", "Download a model of Cellpose...", self._download_model, doc=DOWNLOAD_HELP)
        self.defaults = make_settings()
        self.may_be_3d = True  # until a pipeline is seen
        self.in_test_mode = False

    def settings(self) -> list[Setting]:
        """Every setting, in the order of the pipeline file."""
        return [getattr(self, name) for name in LABELS]

    def visible_settings(self) -> list[Setting]:
        """The settings that matter with the current choices, the advanced ones last."""
        hidden = irrelevant(self)
        shown = [getattr(self, name) for name in (*BASIC, *ADVANCED) if name not in hidden]
        lists = [setting for setting in (self.custom_model, self.restoring_model) if setting in shown]
        if lists:
            shown.insert(shown.index(lists[0]) + 1, self.download)
        return shown

    def chosen(self, name: str) -> Any:
        """The value of a setting that takes effect: of an advanced one that is hidden, the default."""
        is_ignored = name in ADVANCED and not self.advanced.value
        return (self.defaults[name] if is_ignored else getattr(self, name)).value

    def upgrade_settings(
        self, setting_values: list[str], variable_revision_number: int, module_name: str
    ) -> tuple[list[str], int]:
        """Convert the settings of older pipelines."""
        return upgraded(setting_values, variable_revision_number)

    def on_activated(self, workspace: Any) -> None:
        """Learn, before the settings are shown, whether the pipeline has 3D images."""
        self.may_be_3d = workspace.pipeline.volumetric()
        self._list_models()

    def on_setting_changed(self, setting: Setting, pipeline: Any) -> None:
        """Name the objects after the model, unless the user has named them or another module uses the name.

        Of a model that was selected in a list, only the name stays.
        """
        if setting in (self.model, self.custom_model, self.restore, self.restoring_model):
            self._list_models()
        name, better = self.y_name.value, DEFAULT_NAMES.get(self.model.value)
        if not better or name not in DEFAULT_NAMES.values():
            return
        # Of cells and nuclei, the nuclei keep the name that they share, and with it the modules that use it.
        shared = setting is self.together and self.finds_nuclei() and name == self.nuclei_name.value
        if shared or (setting is self.model and not _is_used(name, pipeline)):
            self.y_name.value = better

    def _download_model(self) -> None:
        """Download a model of Cellpose, which the user chooses, and select it."""
        if self._uses_own_engine() and not ensure_engine(window()):
            return
        try:
            name = download_model(self.engine_command())
        except engine.NotInstalled as error:
            tell_problem(str(error))
            return
        if name:
            forget_models()
            setting = self.restoring_model if RESTORING.fullmatch(name) else self.custom_model
            setting.value = name
            self._list_models()

    def _list_models(self) -> None:
        """Fill the lists of models that are shown, and reduce a selected line to its name."""
        lists = {"custom_model": (False, [""]), "restoring_model": (True, list(OFFERED))}
        shown = [name for name in lists if name not in irrelevant(self)]
        try:
            models = list_models(self.engine_command()) if shown else []
        except engine.NotInstalled:
            return  # the editor says so
        for name in shown:
            setting, (restores, always) = getattr(self, name), lists[name]
            setting.value = name_in(setting.value, models)
            here = [model for model in models if model.restores == restores]
            there = [known for known in always if known and known not in {model.name for model in here}]
            # The setting keeps its list, so that is changed in place.
            choices = self.choices[name]
            choices[:] = [*(model.line for model in here), *there] or always

    def validate_module(self, pipeline: Any) -> None:
        """Show in the pipeline editor what is missing, before anything runs."""
        if self.model.value == MODEL_CUSTOM and not self.custom_model.value.strip():
            raise ValidationError("Enter the name of the model, or the path to it.", self.custom_model)
        if self.chosen("restore") and not self.restoring_model.value.strip():
            raise ValidationError("Enter the name of the model that restores images.", self.restoring_model)
        if self.together.value and self.model.value == MODEL_NUCLEI:
            raise ValidationError(
                "To identify cells and nuclei together, select a model for cells; the nuclei use their own model.",
                self.model,
            )
        self._require_different_names()
        self._require_new_names(pipeline)
        try:
            self.engine_command()
        except engine.NotInstalled as error:
            if self._uses_own_engine() and can_offer():
                return  # it is offered when the pipeline runs
            raise ValidationError(str(error), self.engine_choice if self.advanced.value else self.model) from None

    def _require_different_names(self) -> None:
        """Raise ValidationError if two kinds of objects or images have one name, because one would replace the other.

        CellProfiler does not look, and in test mode it replaces them without a word.
        """
        visible = self.visible_settings()
        objects = [setting for setting in visible if isinstance(setting, LabelName) or setting is self.nuclei_objects]
        images = [setting for setting in visible if isinstance(setting, ImageName)]
        for what, settings in (("objects", objects), ("images", images)):
            names = [setting.value for setting in settings]
            for k, name in enumerate(names):
                if name in names[:k]:
                    sentence = f"Two kinds of {what} are called {name}; enter another name for one of them."
                    raise ValidationError(sentence, settings[k])

    def _require_new_names(self, pipeline: Any) -> None:
        """Raise ValidationError if another module makes objects of the same name, as one that this one replaces."""
        made = {setting.value: setting for setting in self.visible_settings() if isinstance(setting, LabelName)}
        for module in pipeline.modules():
            if module.module_num == self.module_num:
                continue
            for setting in module.visible_settings():
                if isinstance(setting, LabelName) and setting.value in made:
                    raise ValidationError(
                        f"{module.module_name} #{module.module_num} makes objects called {setting.value} as well; "
                        "remove it, or enter another name here.",
                        made[setting.value],
                    )

    def volumetric(self) -> bool:
        """Whether the module can process stacks as 3D."""
        return True

    @staticmethod
    def is_object_identification_module() -> bool:
        """This module makes objects from images."""
        return True

    def finds_nuclei(self) -> bool:
        """Whether the nuclei are found here, and not taken from an earlier module."""
        return bool(self.together.value and self.nuclei_from.value != NUCLEI_EXIST)

    def needs_nuclei_image(self) -> bool:
        """Whether a second image is read."""
        return self.finds_nuclei() or self.use_nuclei_image.value

    def prepare_run(self, workspace: Any) -> bool:
        """Before an analysis, in the desktop's process: offer to make the engine if there is none."""
        return not self._uses_own_engine() or ensure_engine(workspace)

    def run(self, workspace: Any) -> None:
        """Segment the image and add objects and measurements; any error is raised."""
        self.check_settings(workspace.pipeline)
        self.in_test_mode = bool(getattr(workspace.pipeline, "test_mode", False))
        try:
            if self._uses_own_engine() and not ensure_engine(workspace):  # in test mode, nothing asked before
                raise Stopped
            self._identify(workspace)
        except Stopped:
            end_step(workspace)

    def _identify(self, workspace: Any) -> None:
        """Find the objects, add them, and remember what the window shows."""
        image = workspace.image_set.get_image(self.x_name.value)
        nuclei_image = self._nuclei_image(workspace, image)
        where = self._where(workspace, image)
        images = [image, *self._further_images(workspace, image)]
        picture = self._sent(images, nuclei_image, where)
        parameters = {**self.parameters(), **self._options_3d(image), **picture.options}
        result = self._segment(workspace, self.y_name.value, picture, parameters, also=self._outputs())
        mask = image.mask if where is None else image.mask & where
        stages = self._filtered(result, image, mask, self._diameters())
        nuclei_pixels = None if nuclei_image is None else nuclei_image.pixel_data
        shown = Shown(image.pixel_data, self._anisotropy(image), nuclei_pixels)
        if self.together.value:
            self._add_pairs(workspace, image, nuclei_image, result, stages, shown, where)
        else:
            self._add(workspace, self.y_name.value, image, stages.segmented, stages)
            self._measure(workspace, self.y_name.value, result, stages.found)
            shown.add(self.y_name.value, stages, result, self._shown_model(result))
        self._add_images(workspace, image, result)
        if self.show_window:
            if self.chosen("restore"):
                shown.restored = restored_plane(result.extra["restored"])
            shown.remember(workspace.display_data)

    def check_settings(self, pipeline: Any) -> None:
        """Validate the settings: a headless run does not, and silently replaces numbers that are out of range."""
        self.may_be_3d = pipeline.volumetric()
        for setting in self.visible_settings():
            if not isinstance(setting, (Number, FloatRange)):
                continue
            try:
                setting.test_valid(pipeline)
            except ValidationError as error:
                raise ValueError(f"{setting.text}: {error}") from None
        self.validate_module(pipeline)

    def parameters(self) -> dict[str, Any]:
        """The engine's options; filters.py discards small objects and those at the border, and says why."""
        return {
            "model": self.model_name(),
            "diameter": None if self.automatic_diameter.value else self.diameter.value,
            **{name: self.chosen(name) for name in SENT},
            **self._scaling(),
            **self._restoring(),
            "iterations": self.chosen("iterations") or None,
            "min_size": 0,
            "exclude_on_edges": False,
            "device": ENGINE_DEVICES[self.chosen("device")],
        }

    def _restoring(self) -> dict[str, Any]:
        """The engine's option for restoring; without it, an engine that knows none takes the image as well."""
        return {"restore": engine.model_for_engine(self.restoring_model.value)} if self.chosen("restore") else {}

    def _scaling(self) -> dict[str, Any]:
        """The engine's options for grey values; limits depend on the image and are added when it is sent."""
        if self.chosen("scaling") == UNSCALED:
            return {"normalize": None}
        if self.chosen("scaling") == LIMITS:
            return {}
        options = {name: self.chosen(name) for name in ("tile_norm", "sharpen", "smooth")}
        return {"normalize": self.chosen("percentiles"), **options}

    def nuclei_parameters(self) -> dict[str, Any]:
        """The engine's options for nuclei that are found together with cells."""
        parameters = self.parameters()
        if "restore" in parameters:
            parameters["restore"] = partner_for_nuclei(parameters["restore"])
        return {
            **parameters,
            "model": ENGINE_MODELS[MODEL_NUCLEI],
            "diameter": self.nuclei_diameter.value or None,
            "invert": False,
        }

    def model_name(self) -> str:
        """The model's name in the engine, or its path."""
        if self.model.value != MODEL_CUSTOM:
            return ENGINE_MODELS[self.model.value]
        return engine.model_for_engine(self.custom_model.value)

    def engine_command(self) -> list[str]:
        """The command that starts the engine; raises engine.NotInstalled with one sentence."""
        if self._uses_own_engine():
            return engine.engine_command()
        return engine.command_of(self.engine_path.value)

    def _uses_own_engine(self) -> bool:
        """Whether the engine is the one that the plugin is connected to."""
        return bool(self.chosen("engine_choice") != ENGINE_PATH)

    def _outputs(self) -> list[str]:
        """The results to fetch from the engine in addition to the labels."""
        may_split = self.together.value and self.several_nuclei.value == SPLIT
        wanted = {
            "probability": self.chosen("save_probability"),
            "flows": self.chosen("save_flows") or may_split,
            "restored": self.chosen("restore") and (self.chosen("save_restored") or self.show_window),
        }
        return ["objects", *(name for name, is_wanted in wanted.items() if is_wanted)]

    def _segment(self, workspace: Any, name: str, picture: Sent, parameters: dict[str, Any], also: list[str]) -> Any:
        """Find the objects with this name; what the user should know of the result is logged, for `cellspan batch`."""
        result = self._engine_result(workspace, picture, parameters, also)
        for note in result.notes:
            LOGGER.warning("Note on %s: %s", name, note)
        return result

    def _engine_result(self, workspace: Any, picture: Sent, parameters: dict[str, Any], also: list[str]) -> Any:
        """Segment with the engine; a wait is told in the log or, in test mode, in a window."""
        if picture.mask is not None and not picture.mask.any():
            place = (self.mask_image if self.chosen("where") == MASK_IMAGE else self.mask_objects).value
            shape = picture.mask.shape
            return nothing_found(shape, parameters["model"], f"{place} is empty, so there was nowhere to look.")
        service = engine.connect(self.engine_command(), self.in_test_mode)
        segment: Any = partial(RECENT.segment, service) if self.in_test_mode else service.segment
        if picture.mask is not None:
            segment = partial(segment, mask=picture.mask)

        def work(tell: Any) -> Any:
            result = segment(picture.pixels, parameters, tell, also)
            if self.in_test_mode:
                dict(result.extra)  # fetched here, while the window is alive
            return result

        return attend(work, LOGGER.info, f"{self.module_name} #{self.module_num}", workspace)

    def _sent(self, images: list[Any], nuclei_image: Any, where: numpy.ndarray | None) -> Sent:
        limits = self.chosen("limits") if self.chosen("scaling") == LIMITS else None
        return sent(images, nuclei_image, self.chosen("combine").lower(), limits, where)

    def _where(self, workspace: Any, image: Any) -> numpy.ndarray | None:
        """Where to look, as a mask of the image's size, or None for everywhere; raises ValueError if it differs."""
        where = self.chosen("where")
        if where == EVERYWHERE:
            return None
        if where == MASK_IMAGE:
            name = self.mask_image.value
            other = workspace.image_set.get_image(name)
            inside = numpy.asarray(other.pixel_data) != 0
            inside = inside.any(axis=-1) if inside.ndim > other.dimensions else inside
        else:
            name = self.mask_objects.value
            inside = workspace.object_set.get_objects(name).segmented > 0
        if image.volumetric and inside.ndim == 2:
            inside = inside[None]  # CellProfiler drops the slice axis of a stack with one slice
        if inside.shape != size_of(image):
            raise ValueError(f"{name} and {self.x_name.value} differ in size; crop or resize both alike.")
        return numpy.asarray(inside)

    def _further_images(self, workspace: Any, image: Any) -> list[Any]:
        """The images that are combined with the first; raises ValueError if their size differs."""
        settings = [self.second_image, self.third_image]
        if not self.advanced.value or self.second_image.is_blank:
            return []
        return [self._image_alike(workspace, image, setting.value) for setting in settings if not setting.is_blank]

    def _image_alike(self, workspace: Any, image: Any, name: str) -> Any:
        other = workspace.image_set.get_image(name)
        if size_of(other) != size_of(image):
            raise ValueError(f"{name} and {self.x_name.value} differ in size; crop or resize both alike.")
        return other

    def _anisotropy(self, image: Any) -> float:
        return anisotropy_of(image, self.chosen("anisotropy"))

    def _options_3d(self, image: Any) -> dict[str, Any]:
        smooth = self.chosen("smooth_flows")
        return options(image, self.method_3d.value, self._anisotropy(image), self.stitch_threshold.value, smooth)

    def _filtered(
        self, result: Any, image: Any, mask: numpy.ndarray, diameters: tuple[float, float] | None = None
    ) -> Filtered:
        border = self.discard_border.value
        smallest = self.chosen("min_size")
        return filter_objects(result.labels, mask, smallest, border, diameters, self._anisotropy(image))

    def _diameters(self) -> tuple[float, float] | None:
        return self.chosen("diameter_range") if self.chosen("discard_by_diameter") else None

    def _nuclei_image(self, workspace: Any, image: Any) -> Any:
        """The image of the nuclei, or None; raises ValueError if its size differs."""
        return self._image_alike(workspace, image, self.nuclei_image.value) if self.needs_nuclei_image() else None

    def _add_pairs(
        self,
        workspace: Any,
        image: Any,
        nuclei_image: Any,
        result: Any,
        stages: Filtered,
        shown: Shown,
        where: numpy.ndarray | None,
    ) -> None:
        """Find or take the nuclei, pair them with the cells, and add nuclei, cells and cytoplasm."""
        cells_name, exist = self.y_name.value, not self.finds_nuclei()
        nuclei_name = self.nuclei_objects.value if exist else self.nuclei_name.value
        if exist:
            nuclei = workspace.object_set.get_objects(nuclei_name).segmented
            if image.volumetric and nuclei.ndim == 2:
                nuclei = nuclei[None]  # CellProfiler drops the slice axis of a stack with one slice
            if nuclei.shape != stages.segmented.shape:
                raise ValueError(
                    f"The objects {nuclei_name} and {self.x_name.value} differ in size; crop them in the same way."
                )
        else:
            picture = self._sent([nuclei_image], None, where)
            parameters = {**self.nuclei_parameters(), **self._options_3d(image), **picture.options}
            nuclei_result = self._segment(workspace, nuclei_name, picture, parameters, also=["objects"])
            mask = image.mask & nuclei_image.mask
            nuclei_stages = self._filtered(nuclei_result, image, mask if where is None else mask & where)
            gone = nuclei_of_discarded_cells(stages, nuclei_stages.segmented)
            nuclei = numpy.where(gone, 0, nuclei_stages.segmented)
        pairs = pair(
            stages.segmented,
            nuclei,
            PAIRING_RULES[self.without_nucleus.value],
            PAIRING_RULES[self.several_nuclei.value],
            PAIRING_RULES[self.without_cell.value],
            lambda: result.extra["flows"],
            keep_all_nuclei=exist,
            anisotropy=self._anisotropy(image),
        )
        if not exist:
            self._add(workspace, nuclei_name, nuclei_image, pairs.nuclei, nuclei_stages)
            self._measure(workspace, nuclei_name, nuclei_result, nuclei_stages.found[pairs.found_nucleus - 1])
        self._add(workspace, cells_name, image, pairs.cells, stages)
        self._measure(workspace, cells_name, result, stages.found[pairs.found_cell - 1])
        workspace.measurements.add_measurement(cells_name, measurements.NUCLEI_COUNT, pairs.nuclei_in_cell)
        self._add(workspace, self.cytoplasm_name.value, image, pairs.cytoplasm)
        self._relate(workspace, nuclei_name, pairs)
        alone = {NO_PARTNER: len(stages.found) - len(numpy.unique(pairs.found_cell))}
        cell_stages = stages._replace(segmented=pairs.cells, reasons={**stages.reasons, **alone})
        shown.add(cells_name, cell_stages, result, self._shown_model(result))
        if exist:
            shown.add_labels(nuclei_name, pairs.nuclei)
        else:
            alone = {NO_PARTNER: len(nuclei_stages.found) - len(pairs.found_nucleus)}
            nuclei_stages = nuclei_stages._replace(segmented=pairs.nuclei, reasons={**nuclei_stages.reasons, **alone})
            shown.add(nuclei_name, nuclei_stages, nuclei_result, MODEL_NUCLEI)
        shown.add_labels(self.cytoplasm_name.value, pairs.cytoplasm)

    def _shown_model(self, result: Any) -> str:
        """The model by the name in the panel; of a custom one, its own name."""
        return result.model if self.model.value == MODEL_CUSTOM else str(self.model.value)

    def _add(
        self, workspace: Any, name: str, image: Any, labels: numpy.ndarray, stages: Filtered | None = None
    ) -> None:
        """Add the objects, their count, numbers and locations."""
        objects = Objects()
        objects.segmented = labels
        if stages is not None:
            # If one is not set, CellProfiler uses the one before it without checking every pixel.
            if stages.unedited_segmented is not labels:
                objects.unedited_segmented = stages.unedited_segmented
            if stages.small_removed_segmented is not stages.unedited_segmented:
                objects.small_removed_segmented = stages.small_removed_segmented
        objects.parent_image = image
        workspace.object_set.add_objects(objects, name)
        measurements.write_objects(workspace.measurements, name, labels)

    def _measure(self, workspace: Any, name: str, result: Any, found: numpy.ndarray) -> None:
        measurements.write_segmentation(workspace.measurements, name, result, found)

    def _relate(self, workspace: Any, nuclei_name: str, pairs: Pairs) -> None:
        cells, cytoplasm = self.y_name.value, self.cytoplasm_name.value
        nuclei_count, cell_count = len(pairs.found_nucleus), len(pairs.found_cell)
        nucleus_of_cytoplasm = pairs.nucleus_of_cell[pairs.cell_of_cytoplasm - 1]
        for relation in (
            measurements.Relation(nuclei_name, cells, pairs.nucleus_of_cell, nuclei_count),
            measurements.Relation(nuclei_name, cytoplasm, nucleus_of_cytoplasm, nuclei_count),
            measurements.Relation(cells, cytoplasm, pairs.cell_of_cytoplasm, cell_count),
        ):
            measurements.write_relation(workspace.measurements, self.module_num, relation)

    def _add_images(self, workspace: Any, image: Any, result: Any) -> None:
        """Add the probability, flow and restored images."""

        def add(name: str, picture: numpy.ndarray) -> None:
            # A model that makes up for coarse pixels enlarges the image, which the mask of the original does not fit.
            parent = image if picture.shape[: image.dimensions] == size_of(image) else None
            made = Image(picture, parent_image=parent, convert=False, dimensions=image.dimensions)
            workspace.image_set.add(name, made)

        if self.chosen("save_probability"):
            add(self.probability_name.value, probability_image(result.extra["probability"]))
        if self.chosen("save_flows"):
            add(self.flows_name.value, flow_image(result.extra["flows"]))
        if self.chosen("restore") and self.chosen("save_restored"):
            add(self.restored_name.value, restored_plane(result.extra["restored"]))

    def columns(self) -> list[tuple[str, str, str]]:
        """All measurements: object or image, feature, database type."""
        cells = self.y_name.value
        columns: list[measurements.Column] = [*super().get_measurement_columns(None, cells)]
        columns += measurements.segmentation_columns(cells)
        if not self.together.value:
            return columns
        nuclei, cytoplasm = self.nuclei_objects.value, self.cytoplasm_name.value
        if self.finds_nuclei():
            nuclei = self.nuclei_name.value
            columns += super().get_measurement_columns(None, nuclei) + measurements.segmentation_columns(nuclei)
        columns += super().get_measurement_columns(None, cytoplasm)
        columns.append((cells, measurements.NUCLEI_COUNT, COLTYPE_INTEGER))
        for parent, child in ((nuclei, cells), (nuclei, cytoplasm), (cells, cytoplasm)):
            columns += measurements.relation_columns(parent, child)
        return columns

    def get_measurement_columns(self, pipeline: Any, object_name: str | None = None) -> list[tuple[str, str, str]]:
        """The columns for ExportToDatabase."""
        return self.columns()

    def get_categories(self, pipeline: Any, object_name: str) -> list[str]:
        """The categories of measurements that later modules offer for these objects."""
        return measurements.categories(self.columns(), object_name)

    def get_measurements(self, pipeline: Any, object_name: str, category: str) -> list[str]:
        """The measurements of one category."""
        return measurements.features(self.columns(), object_name, category)

    def display(self, workspace: Any, figure: Any) -> None:
        """Show images, objects, outlines and a table, as in IdentifyPrimaryObjects; in 3D, of one slice."""
        cycle = f"cycle #{workspace.measurements.image_number}"
        draw(figure, workspace.display_data, f"{self.x_name.value}, {cycle}", f"{self.nuclei_image.value}, {cycle}")


def _is_used(name: str, pipeline: Any) -> bool:
    """Whether a module of the pipeline takes the objects with this name."""
    settings = (setting for module in pipeline.modules(False) for setting in module.settings())
    return any(isinstance(setting, LabelSubscriber) and setting.value == name for setting in settings)
