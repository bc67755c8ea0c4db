"""The module's measurements, declared and written from one table so that the database has every column."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Tuple

import numpy as np
from cellprofiler_core.constants.measurement import (
    COLTYPE_FLOAT,
    COLTYPE_INTEGER,
    COLTYPE_VARCHAR_FORMAT,
    FF_CHILDREN_COUNT,
    FF_COUNT,
    FF_PARENT,
    IMAGE,
    M_LOCATION_CENTER_X,
    M_LOCATION_CENTER_Y,
    M_LOCATION_CENTER_Z,
    M_NUMBER_OBJECT_NUMBER,
    R_PARENT,
)

from cellspan_plugin.row_runs import runs_of

Column = Tuple[str, str, str]  # object or image, feature, type in the database
NUCLEI_COUNT = "Flow_NucleiCount"
# per segmentation: feature, type, value from the engine's result
IMAGE_FEATURES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "Flow_Diameter_%s": (COLTYPE_FLOAT, lambda result: result.diameter),
    "Flow_Seconds_%s": (COLTYPE_FLOAT, lambda result: result.seconds),
    "Flow_Model_%s": (COLTYPE_VARCHAR_FORMAT % 255, lambda result: result.model),
    "Flow_ModelSHA256_%s": (COLTYPE_VARCHAR_FORMAT % 64, lambda result: result.model_sha256),
    "Flow_Device_%s": (COLTYPE_VARCHAR_FORMAT % 64, lambda result: result.device),
    "Flow_Notes_%s": (COLTYPE_VARCHAR_FORMAT % 1024, lambda result: " ".join(result.notes)),
}
# per object, in the order of the engine's table `objects`
OBJECT_FEATURES = ("Flow_MeanProbability", "Flow_FlowError")


class Relation(NamedTuple):
    """Names of parents and children, and the parent's number for each child; 0 = none."""

    parent: str
    child: str
    parents: np.ndarray
    parent_count: int


def segmentation_columns(name: str) -> list[Column]:
    """The columns of objects that the engine found."""
    columns = [(IMAGE, feature % name, kind) for feature, (kind, _) in IMAGE_FEATURES.items()]
    return columns + [(name, feature, COLTYPE_FLOAT) for feature in OBJECT_FEATURES]


def relation_columns(parent: str, child: str) -> list[Column]:
    """The columns that relate parents and children."""
    return [
        (parent, FF_CHILDREN_COUNT % child, COLTYPE_INTEGER),
        (child, FF_PARENT % parent, COLTYPE_INTEGER),
    ]


def categories(columns: list[Column], owner: str) -> list[str]:
    """The categories (before the first underscore) of all measurements of `owner`."""
    return sorted({feature.partition("_")[0] for name, feature, _ in columns if name == owner})


def features(columns: list[Column], owner: str, category: str) -> list[str]:
    """The features (after the underscore) in one category."""
    parts = [feature.partition("_") for name, feature, _ in columns if name == owner]
    return [rest for head, _, rest in parts if head == category]


def write_objects(measurements: Any, name: str, labels: np.ndarray) -> None:
    """Write count, locations and numbers of the objects 1..n; a faster ImageSegmentation.add_measurements."""
    count = int(labels.max(initial=0))
    centres = runs_of(labels).centres(count)[::-1]
    centres += [np.zeros(count)] * (3 - len(centres))
    for feature, values in zip((M_LOCATION_CENTER_X, M_LOCATION_CENTER_Y, M_LOCATION_CENTER_Z), centres):
        measurements.add_measurement(name, feature, values)
    measurements.add_measurement(name, M_NUMBER_OBJECT_NUMBER, np.arange(1, count + 1))
    measurements.add_measurement(IMAGE, FF_COUNT % name, np.array([count], dtype=float))


def write_segmentation(measurements: Any, name: str, result: Any, found: np.ndarray) -> None:
    """Write the measurements of the image and of each object; `found`: the engine's labels of objects 1..n."""
    for feature, (_, value) in IMAGE_FEATURES.items():
        measurements.add_image_measurement(feature % name, value(result))
    for feature, values in zip(OBJECT_FEATURES, result.extra["objects"]):
        measurements.add_measurement(name, feature, values[found - 1].astype(float))


def write_relation(measurements: Any, module_number: int, relation: Relation) -> None:
    """Write Parent_*, Children_*_Count and the relationship for ExportToDatabase."""
    children = np.flatnonzero(relation.parents > 0) + 1
    parents = relation.parents[children - 1]
    counts = np.bincount(parents, minlength=relation.parent_count + 1)[1:]
    measurements.add_measurement(relation.child, FF_PARENT % relation.parent, relation.parents.astype(int))
    measurements.add_measurement(relation.parent, FF_CHILDREN_COUNT % relation.child, counts)
    images = np.full(len(children), measurements.image_set_number, int)
    measurements.add_relate_measurement(
        module_number, R_PARENT, relation.parent, relation.child, images, parents, images, children
    )
