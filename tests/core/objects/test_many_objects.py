"""More objects than 16 bits can count: nothing wraps around, nothing is lost."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cellspan.core.dynamics.flows import labels_to_flows
from cellspan.core.dynamics.labelling import flows_to_labels
from cellspan.core.objects.labels import areas
from cellspan.core.objects.metrics import average_precision
from cellspan.core.objects.outlines import labels_to_rois, rois_to_labels
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import image_from_array
from cellspan.core.pictures.reading import read_labels
from cellspan.core.planes.result import Result
from cellspan.core.results.outputs import output_paths
from cellspan.core.results.plane_files import save_plane_outputs

SIDE = 265
COUNT = SIDE * SIDE  # 70,225


@pytest.fixture(scope="module")
def true() -> np.ndarray:
    """Squares of 5x5 pixels with one pixel between them."""
    numbers = np.arange(1, COUNT + 1, dtype=np.int32).reshape(SIDE, SIDE)
    labels = np.repeat(np.repeat(numbers, 6, axis=0), 6, axis=1)
    labels[5::6], labels[:, 5::6] = 0, 0
    return labels


@pytest.fixture(scope="module")
def found(true: np.ndarray) -> np.ndarray:
    return flows_to_labels(labels_to_flows(true), np.where(true > 0, 5.0, -5.0))


def test_dynamics(true: np.ndarray, found: np.ndarray) -> None:
    assert found.dtype == np.int32
    assert found.max() == COUNT
    assert np.array_equal(found[2::6, 2::6], true[2::6, 2::6])  # both are numbered row by row
    assert average_precision(true, found, (0.5, 0.75)).tolist() == [1, 1]


def test_files(found: np.ndarray, tmp_path: Path) -> None:
    image = image_from_array((found > 0).astype(np.uint8))
    nothing = np.zeros((2, *found.shape), np.float32)
    result = Result(found, nothing, nothing[0], 5.0, np.zeros(64, np.float32), "m", "0", "cpu", 0.0)
    paths = output_paths(tmp_path, Path("many"), ["labels", "rois", "table"])
    save_plane_outputs(paths, result, image, Parameters(), Path("a.tif"))
    assert np.array_equal(read_labels(paths["labels"]), found)
    assert read_labels(paths["labels"]).dtype == np.uint32
    rows = list(csv.DictReader(paths["table"].open()))
    assert [int(row["label"]) for row in rows] == list(range(1, COUNT + 1))
    assert [int(row["area"]) for row in rows] == areas(found).tolist()
    assert len(zipfile.ZipFile(paths["rois"]).namelist()) == COUNT


def test_rois(found: np.ndarray) -> None:
    rois = labels_to_rois(found)
    assert len({roi.name for roi in rois}) == COUNT
    assert np.array_equal(rois_to_labels(rois, found.shape), found)
