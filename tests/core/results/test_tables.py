"""The table of a plane: positions and sizes that are known exactly, in pixels and in the unit of the image."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from cellspan.core.parameters import Parameters
from cellspan.core.pictures.images import Image
from cellspan.core.planes.result import Result
from cellspan.core.results.tables import plane_table, six_digits, write_table

pytestmark = pytest.mark.quick
IN_PIXELS = ["label", "y", "x", "area", "diameter", "mean_probability", "mean_intensity"]


def result_of(labels: np.ndarray) -> Result:
    flows, probability = np.zeros((2, *labels.shape), np.float32), np.full(labels.shape, 0.5, np.float32)
    return Result(labels, flows, probability, 4.0, np.zeros(0, np.float32), "fake", "0" * 64, "cpu", 0.0)


@pytest.fixture
def labels() -> np.ndarray:
    labels = np.zeros((20, 30), np.int32)
    labels[2:6, 10:15] = 1
    labels[10:20, 20:30] = 2
    return labels


def image(spacing: tuple[float, float] | None = None, unit: str = "") -> Image:
    return Image(np.arange(600, dtype=np.uint16).reshape(1, 20, 30), False, spacing, unit)


def test_in_pixels(labels: np.ndarray) -> None:
    table = plane_table(image(), result_of(labels), Parameters(invert=True))
    assert list(table) == IN_PIXELS
    assert table["area"].tolist() == [20, 100]
    assert table["y"].tolist() == [3.5, 14.5]
    assert table["x"].tolist() == [12, 24.5]
    assert table["diameter"].tolist() == [5.05, 11.28]
    assert table["mean_probability"].tolist() == [0.5, 0.5]
    assert table["mean_intensity"].tolist() == [117, 459.5], "as stored, whatever the parameters"


@pytest.mark.parametrize(("unit", "name"), [("µm", "um"), ("nm", "nm")])
def test_in_the_unit_of_the_image(labels: np.ndarray, unit: str, name: str) -> None:
    table = plane_table(image((0.5, 0.25), unit), result_of(labels), Parameters())
    assert list(table) == [*IN_PIXELS[:5], f"area_{name}2", f"diameter_{name}", *IN_PIXELS[5:]]
    assert table["area"].tolist() == [20, 100], "pixels stay"
    assert table[f"area_{name}2"].tolist() == [2.5, 12.5]
    assert table[f"diameter_{name}"] == pytest.approx(2 * np.sqrt(np.array([2.5, 12.5]) / np.pi), rel=1e-5)


@pytest.mark.parametrize(("spacing", "unit"), [(None, "µm"), ((0.5, 0.5), ""), (None, "")])
def test_without_a_known_size_there_are_only_pixels(
    labels: np.ndarray, spacing: tuple[float, float] | None, unit: str
) -> None:
    assert list(plane_table(image(spacing, unit), result_of(labels), Parameters())) == IN_PIXELS


def test_no_objects_give_a_table_with_its_columns(tmp_path: Path) -> None:
    table = plane_table(image((0.5, 0.5), "µm"), result_of(np.zeros((20, 30), np.int32)), Parameters())
    write_table(tmp_path / "a.csv", table)
    [columns] = csv.reader((tmp_path / "a.csv").read_text(encoding="utf-8").splitlines())
    assert columns == [*IN_PIXELS[:5], "area_um2", "diameter_um", *IN_PIXELS[5:]]


def test_tables_are_read_back(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", {"label": np.array([1, 2]), "size": six_digits(np.array([1 / 3, 2e9]))})
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()))
    assert rows == [{"label": "1", "size": "0.333333"}, {"label": "2", "size": "2000000000.0"}]
