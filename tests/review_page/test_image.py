"""One image: its labels with what is known of them, its entry in the grid, new results of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.inputs import Input
from cellspan.review_page.image import ReviewImage
from cellspan.review_page.runs import Made

pytestmark = pytest.mark.quick


@pytest.fixture
def image(plate: Path) -> ReviewImage:
    results = plate / "cellspan_results"
    made = Made("A01.tif", None, {"diameter": 9}, "nuclei", 9.0, ["a note"])
    return ReviewImage(Input(plate / "A01.tif", Path()), results, results / "review", made)


def write_labels(image: ReviewImage, labels: np.ndarray) -> None:
    tifffile.imwrite(image.paths["labels"], labels.astype(np.uint16))


def test_the_entry_before_and_after_it_was_read(image: ReviewImage) -> None:
    before = image.as_json()
    assert (before["shape"], before["state"], before["count"], before["well"]) == (None, "done", None, "A01")
    image.read()
    after = image.as_json()
    assert (after["shape"], after["count"], after["diameter"], after["revision"]) == ([64, 72], 2, 11.28, 0)
    assert after["id"] == before["id"]


def test_outlines(image: ReviewImage) -> None:
    found = image.outlines(0)
    assert (found["count"], found["revision"], found["edited"], found["canUndo"]) == (2, 0, False, False)
    assert [entry["label"] for entry in found["objects"]] == [1, 2]


def test_how_it_was_made(image: ReviewImage) -> None:
    assert image.how()["parameters"] == {"diameter": 9}
    image.history.change(image.labels()[0] * 0, "thresholds", made={"parameters": {"diameter": 7}})
    assert image.how()["parameters"] == {"diameter": 7}


def test_new_results_of_a_run(image: ReviewImage) -> None:
    image.read()
    assert not image.look_for_new_results()
    write_labels(image, np.zeros((64, 72)))
    assert image.look_for_new_results()
    assert not image.labels()[0].any()
    assert image.history.state.revision == 1


def test_new_results_do_not_replace_corrections(image: ReviewImage) -> None:
    image.read()
    image.history.change(np.where(image.labels()[0] == 1, 0, image.labels()[0]), "edit", (1,))
    assert not image.as_json()["newResults"]
    write_labels(image, np.zeros((64, 72)))
    assert image.look_for_new_results()
    assert image.as_json()["newResults"]
    assert image.labels()[0].max() == 2


def corrected(image: ReviewImage, new: np.ndarray) -> None:
    """Correct the first results, of which others are written then."""
    image.history.change(np.where(image.labels()[0] == 1, 0, image.labels()[0]), "edit", (1,))
    write_labels(image, new)
    image.read()
    assert image.shown.news, "a later look at the folder tells of them as well"


def test_new_results_in_place_of_corrections(image: ReviewImage) -> None:
    new = np.zeros((64, 72), np.int32)
    new[3:9, 3:9] = 1
    corrected(image, new)
    image.take_new_results(Made("A01.tif", None, {"diameter": 6}, "cyto", 6.0))
    np.testing.assert_array_equal(image.labels()[0], new)
    assert (image.how()["model"], image.history.state.is_edited) == ("cyto", False)
    assert not image.as_json()["newResults"]
    image.read()
    assert not image.shown.news
    image.history.move(-1)
    assert image.labels()[0].max() == 2
    assert image.how()["model"] == "nuclei"


def test_corrections_that_are_preferred_to_new_results(image: ReviewImage) -> None:
    corrected(image, np.zeros((64, 72)))
    image.keep_corrections()
    image.read()
    assert not image.shown.news
    assert image.labels()[0].max() == 2
    write_labels(image, np.ones((64, 72)))
    image.read()
    assert image.shown.news, "the results after these are new again"


def test_without_results_there_are_no_objects(plate: Path) -> None:
    results = plate / "cellspan_results"
    image = ReviewImage(Input(plate / "B02.tif", Path()), results, results / "review", None)
    image.read()
    assert image.as_json()["state"] == "none"
    assert image.outlines(0)["objects"] == []


def test_labels_of_another_image_are_named(image: ReviewImage) -> None:
    write_labels(image, np.ones((10, 10)))
    with pytest.raises(CellspanError, match=r"has 10 x 10 pixels, but .* has 72 x 64; are they of the same image"):
        image.labels()
    image.read()
    assert "are they of the same image" in image.as_json()["sentence"]


def test_a_file_that_is_no_image(image: ReviewImage) -> None:
    image.item.path.write_bytes(b"nothing")
    image.read()
    assert image.as_json()["state"] == "failed"
    assert "not an image" in image.as_json()["sentence"]


def test_ids_differ_by_folder_and_series(plate: Path) -> None:
    items = [
        Input(plate / "a.tif", Path()),
        Input(plate / "a.png", Path()),
        Input(plate / "a.tif", Path("x")),
        Input(plate / "a.tif", Path(), 1),
    ]
    assert len({ReviewImage(item, plate, plate, None).id for item in items}) == 4
