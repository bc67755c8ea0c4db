"""A folder under review: which images, what the list tells, and that 1,000 of them are listed fast."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.pictures.inputs import find_inputs
from cellspan.review_page.review import Review

pytestmark = pytest.mark.quick


def review_of(folder: Path, results: Path | None = None, **given: object) -> Review:
    return Review(folder, results, folder, given)


def read(review: Review) -> dict[str, dict]:
    while (answer := review.listed(0))["reading"]:
        time.sleep(0.01)
    return {entry["name"]: entry for entry in answer["images"]}


def test_images_and_their_results(plate: Path) -> None:
    review = review_of(plate, diameter=20)
    entries = read(review)
    assert {name: entry["state"] for name, entry in entries.items()} == {"A01.tif": "done", "B02.tif": "none"}
    assert review.parameters.diameter == 20
    assert review.results == plate / "cellspan_results"


def test_only_what_changed_is_told(plate: Path) -> None:
    review = review_of(plate)
    read(review)
    counter = review.listed(0)["counter"]
    assert review.listed(counter)["images"] == []
    image = next(iter(review.images.values()))
    image.history.judge("rejected")
    review.tell(image)
    answer = review.listed(counter)
    assert [(entry["name"], entry["verdict"]) for entry in answer["images"]] == [("A01.tif", "rejected")]
    assert answer["counter"] > counter


def test_a_results_folder_knows_its_images(plate: Path) -> None:
    results = plate / "cellspan_results"
    about = {"started": "2026", "parameters": {"diameter": 9.0, "of_tomorrow": 1}, "model": {"name": "nuclei"}}
    one = {"input": "A01.tif", "objects": 2, "outputs": {"labels": "A01_labels.tif"}}
    (results / "run.json").write_text(json.dumps({**about, "inputs": [one]}))
    review = Review(results, None, plate, {})
    assert list(read(review)) == ["A01.tif"]
    assert (review.parameters.diameter, review.results) == (9.0, results)
    assert next(iter(review.images.values())).item.path == plate / "A01.tif"


def test_pairs_and_results_are_no_images(plate: Path) -> None:
    pairs = plate / "cellspan_results" / "reviewed" / "pairs"
    pairs.mkdir(parents=True)
    tifffile.imwrite(pairs / "A01_img.tif", np.zeros((9, 9), np.uint8))
    assert len(review_of(plate).images) == 2
    (pairs / ".cellspan-pairs").touch()
    assert len(find_inputs([str(plate)])) == 2


@pytest.mark.parametrize("fault", [None, RuntimeError("a fault")])
def test_one_bad_image_does_not_cost_the_others(
    fault: Exception | None, plate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    review = review_of(plate)
    [bad] = [image for image in review.images.values() if image.name == "A01.tif"]
    if fault is None:
        bad.history.judge("accepted")
        (review.place / "images" / bad.id / "state.json").write_text("{")
    else:
        monkeypatch.setattr(bad, "read", lambda: (_ for _ in ()).throw(fault))
    entries = read(review)
    words = "cannot be read" if fault is None else "internal error"
    assert words in entries["A01.tif"]["sentence"]
    assert (entries["A01.tif"]["state"], entries["B02.tif"]["shape"]) == ("failed", [64, 72])
    review.write_verdicts()


def test_images_whose_results_would_have_the_same_names(plate: Path) -> None:
    tifffile.imwrite(plate / "A01.tiff", np.zeros((9, 9), np.uint8))
    review = review_of(plate)
    entries = read(review)
    assert (entries["A01.tif"]["count"], entries["A01.tiff"]["state"]) == (2, "none")
    [second] = [image for image in review.images.values() if image.name == "A01.tiff"]
    with pytest.raises(CellspanError, match=r"the names of those of .*A01\.tif; rename"):
        second.require_own_names()


def test_verdicts_in_a_file(plate: Path) -> None:
    review = review_of(plate)
    next(iter(review.images.values())).history.judge("accepted")
    review.write_verdicts()
    assert json.loads((review.place / "verdicts.json").read_text()) == {"A01.tif": "accepted"}


def test_thumbnails_are_kept_and_renewed(plate: Path) -> None:
    review = review_of(plate)
    image = next(iter(review.images.values()))
    first = review.thumbnail(image)
    kept = list((review.place / "thumbnails").iterdir())
    assert [path.read_bytes() for path in kept] == [first]
    image.history.judge("accepted")  # other labels it has not
    assert review.thumbnail(image) == first
    assert list((review.place / "thumbnails").iterdir()) == kept
    image.history.change(np.zeros_like(image.labels()[0]), "edit", (1, 2))
    assert review.thumbnail(image) != first
    assert len(list((review.place / "thumbnails").iterdir())) == 1


def test_what_cannot_be_read_has_a_placeholder(plate: Path) -> None:
    (plate / "C03.tif").write_bytes(b"nothing")
    review = review_of(plate)
    [image] = [image for image in review.images.values() if image.name == "C03.tif"]
    assert review.thumbnail(image)[8:12] == b"WEBP"
    assert "not an image" in read(review)["C03.tif"]["sentence"]


@pytest.mark.parametrize("folder", ["none", ".", "relative"])
def test_folders_that_are_refused(folder: str, tmp_path: Path) -> None:
    place = tmp_path / folder if folder == "none" else Path(folder)
    with pytest.raises(CellspanError, match="there is no such folder"):
        review_of(place)


def test_a_disk_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match="whole disk"):
        review_of(Path(tmp_path.anchor))
    with pytest.raises(CellspanError, match="no images were found"):
        review_of(tmp_path)


def test_a_thousand_images_are_listed_fast(tmp_path: Path) -> None:
    one, results = tmp_path / "f0000.tif", tmp_path / "cellspan_results"
    tifffile.imwrite(one, np.zeros((8, 8), np.uint8))
    results.mkdir()
    for number in range(1000):
        (tmp_path / f"f{number:04d}.tif").write_bytes(one.read_bytes())
        (results / f"f{number:04d}_labels.tif").write_bytes(one.read_bytes())
    started = time.perf_counter()
    review = review_of(tmp_path)
    opened = time.perf_counter() - started
    started = time.perf_counter()
    answer = review.listed(0)
    listed = time.perf_counter() - started
    assert len(answer["images"]) == 1000
    assert opened < 8  # 0.5 s if nothing else runs; it took 14 s when every result looked at all others
    assert listed < 1
    json.dumps(answer)
