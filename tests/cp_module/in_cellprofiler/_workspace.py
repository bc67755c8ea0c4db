"""Runs the installed module on arrays inside CellProfiler, without Java; the first argument is the plugins folder."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import cellprofiler_core.preferences

cellprofiler_core.preferences.set_headless()

import numpy  # noqa: E402
from cellprofiler_core.image import Image, ImageSetList  # noqa: E402
from cellprofiler_core.measurement import Measurements  # noqa: E402
from cellprofiler_core.object import Objects, ObjectSet  # noqa: E402
from cellprofiler_core.pipeline import Pipeline  # noqa: E402
from cellprofiler_core.workspace import Workspace  # noqa: E402

sys.path.insert(0, sys.argv[1])

from identifyobjectsbyflow import IdentifyObjectsByFlow  # noqa: E402


class Run(NamedTuple):
    module: Any
    workspace: Any
    image: Any

    @property
    def objects(self) -> Any:
        return self.workspace.object_set.get_objects("Nuclei")

    @property
    def labels(self) -> numpy.ndarray:
        return self.objects.segmented

    def measured(self, feature: str) -> Any:
        return self.workspace.measurements.get_current_measurement("Nuclei", feature)


def new_module() -> Any:
    module = IdentifyObjectsByFlow()
    module.set_module_num(1)
    module.x_name.value = "DNA"
    module.y_name.value = "Nuclei"
    return module


def prepare(image: Any, module: Any = None) -> Run:
    """A module in front of an image (an array or a CellProfiler Image), ready to run."""
    module = module or new_module()
    image = image if isinstance(image, Image) else Image(image)
    image_set = ImageSetList().get_image_set(0)
    image_set.add("DNA", image)
    pipeline = Pipeline()
    pipeline.add_module(module)
    return Run(module, Workspace(pipeline, module, image_set, ObjectSet(), Measurements(), None), image)


def run(image: Any, module: Any = None, show: bool = False) -> Run:
    """Run the module on an image."""
    prepared = prepare(image, module)
    prepared.module.show_window = show
    prepared.module.run(prepared.workspace)
    return prepared


def run_pair(image: Any, other: Any, module: Any, show: bool = False, **existing: numpy.ndarray) -> Run:
    """Run the module on an image and a second one called Other, with existing objects."""
    prepared = prepare(image, module)
    prepared.workspace.image_set.add("Other", other if isinstance(other, Image) else Image(other))
    for name, labels in existing.items():
        objects = Objects()
        objects.segmented = labels
        prepared.workspace.object_set.add_objects(objects, name)
    module.show_window = show
    module.run(prepared.workspace)
    return prepared


def message_of(image: Any, module: Any = None) -> str:
    """Run the module, which must fail without leaving objects; the text of its exception."""
    prepared = prepare(image, module)
    try:
        prepared.module.run(prepared.workspace)
    except Exception as error:  # noqa: BLE001 - whatever it raises is looked at
        assert "Nuclei" not in prepared.workspace.object_set.get_object_names()
        return str(error)
    raise AssertionError("the run did not fail")


def disks() -> numpy.ndarray:
    """An 8-bit picture of ten round nuclei; one is cut by the left border, two touch."""
    rows, columns = numpy.mgrid[:160, :200]
    picture = numpy.full(rows.shape, 20.0)
    centres = [(30, 5), (30, 45), (35, 90), (30, 140), (80, 30), (82, 80), (82, 97), (85, 150), (130, 60), (130, 120)]
    for y, x in centres:
        distance = numpy.hypot(rows - y, columns - x)
        picture += 150 / (1 + numpy.exp((distance - 9) / 0.8))
    return numpy.clip(picture + numpy.random.RandomState(0).normal(0, 3, rows.shape), 0, 255).astype(numpy.uint8)
