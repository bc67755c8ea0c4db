"""What was read once is known the next time, unless a file has changed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.review_page.index import Index
from cellspan.review_page.review import Review

pytestmark = pytest.mark.quick


def images(plate: Path) -> dict[str, object]:
    return {image.name: image for image in Review(plate, None, plate, {}).images.values()}


@pytest.fixture
def place(plate: Path) -> Path:
    """The folder of a review, with an index."""
    folder = plate / "cellspan_results" / "review"
    found = images(plate)
    for image in found.values():
        image.read()
    Index(folder).keep(found.values())
    return folder


def test_known_without_reading(plate: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {}
    for name, image in images(plate).items():
        image.read()
        expected[name] = image.as_json()
    monkeypatch.setattr("cellspan.review_page.image.look_at", None)
    for name, image in images(plate).items():
        assert Index(place).apply(image)
        assert image.as_json() == expected[name]


def test_other_files_are_read_again(plate: Path, place: Path) -> None:
    tifffile.imwrite(plate / "cellspan_results" / "A01_labels.tif", np.zeros((64, 72), np.uint16))
    found = images(plate)
    assert not Index(place).apply(found["A01.tif"])
    assert Index(place).apply(found["B02.tif"])


def test_corrections_are_not_in_the_index(plate: Path, place: Path) -> None:
    image = images(plate)["A01.tif"]
    image.history.change(image.labels()[0] * 0, "edit", (1, 2))
    assert not Index(place).apply(image)


@pytest.mark.parametrize("content", ["", "{}", '{"format": 0, "images": {}}', '{"format": 1, "images": 3}'])
def test_a_damaged_index_counts_as_none(content: str, plate: Path, place: Path) -> None:
    (place / "index.json").write_text(content)
    assert not any(Index(place).apply(image) for image in images(plate).values())


def test_the_review_writes_it(plate: Path) -> None:
    review = Review(plate, None, plate, {})
    while review.listed(0)["reading"]:
        pass
    path = review.place / "index.json"
    while not path.exists():
        pass
    assert len(json.loads(path.read_text())["images"]) == 2
