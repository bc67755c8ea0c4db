"""Teaching: what is refused before it begins, what is told meanwhile and after, and a real training."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tifffile

from cellspan.core.errors import CellspanError
from cellspan.core.models.registry import find_model
from cellspan.core.training.simulate import simulate_nuclei
from cellspan.review_page import teaching as module
from cellspan.review_page.review import Review
from cellspan.review_page.teaching import Teaching

pytest.importorskip("torch")
SAID = "NOTE AP@0.5 on 2 validation images: 0.22 before, 0.71 after.\n"
READY = SAID + "The model 'mine' is now available in every program; use it with: --model mine\n"


@pytest.fixture
def taught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Review:
    """Two images with their true labels; models of one's own go elsewhere."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    folder = tmp_path / "images"
    results = folder / "cellspan_results"
    results.mkdir(parents=True)
    for seed in range(2):
        field = simulate_nuclei((120, 120), diameter=24, seed=seed)
        tifffile.imwrite(folder / f"f{seed}.tif", field.image)
        tifffile.imwrite(results / f"f{seed}_labels.tif", field.labels.astype(np.uint16))
    return Review(folder, None, folder, {})


def teaching_of(review: Review) -> Teaching:
    return Teaching(review.place, lambda: None)


def recorded(review: Review, said: str, **more: Any) -> dict[str, Any]:
    """What is told of a training that has ended."""
    place = review.place / "teach" / "mine"
    place.mkdir(parents=True)
    (place / "training.log").write_text(said)
    about = {"name": "mine", "start": "nuclei", "minutes": 1, "images": 2, "pairs": 2, "pid": 2**22 + 1, "since": 0.0}
    (review.place / "teach.json").write_text(json.dumps({**about, **more}))
    return teaching_of(review).as_json()


@pytest.mark.quick
def test_what_is_refused(taught: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    images, teaching = list(taught.images.values()), teaching_of(taught)
    for name, start, chosen, words in (
        ("nuclei", "nuclei", images, "already exists"),
        ("../x", "nuclei", images, "not a valid model name"),
        ("mine", "unknown_model", images, "unknown_model"),
        ("mine", "nuclei", [], "Accept at least one image"),
    ):
        with pytest.raises(CellspanError, match=words):
            teaching.begin(chosen, name, start, 1)
    monkeypatch.setattr(module, "NEEDED", ("no_such_module",))
    with pytest.raises(CellspanError, match=r"cellspan\[train\]"):
        teaching.begin(images, "mine", "nuclei", 1)
    assert teaching.as_json() == {"state": "none"}
    assert "cellspan[train]" in str(module.teach_problem())
    monkeypatch.undo()
    assert module.teach_problem() is None


@pytest.mark.quick
def test_a_training_that_has_said_nothing_yet(taught: Review) -> None:
    own = psutil.Process()
    told = recorded(taught, "", pid=own.pid, since=own.create_time())
    assert (told["state"], told["sentence"], told["before"]) == ("training", "The training begins.", None)


@pytest.mark.quick
def test_what_is_told_of_a_training_that_succeeded(taught: Review) -> None:
    told = recorded(taught, "Scoring\n" + READY)
    assert (told["state"], told["before"], told["after"], told["model"]) == ("done", 0.22, 0.71, "mine")
    assert told["scored"] == {"images": 2, "heldOut": True}


@pytest.mark.quick
@pytest.mark.parametrize(
    ("said", "more", "state", "sentence"),
    [
        ('{"code": "x", "sentence": "There is no room.", "fields": {}}\n', {}, "failed", "There is no room."),
        ("", {}, "failed", "The training ended without a model; its log is in the review's folder."),
        (SAID, {"cancelled": True}, "cancelled", "The training was stopped."),
    ],
)
def test_what_is_told_of_one_that_did_not(
    said: str, more: dict[str, Any], state: str, sentence: str, taught: Review
) -> None:
    told = recorded(taught, said, **more)
    assert (told["state"], told["sentence"], told["model"]) == (state, sentence, None)


@pytest.mark.quick
def test_one_that_goes_on_is_known_to_another_engine(taught: Review) -> None:
    process = psutil.Process()
    told = recorded(taught, "Reading 2 images.\n", pid=process.pid, since=process.create_time())
    assert (told["state"], told["sentence"]) == ("training", "Reading 2 images.")
    assert 0 < told["progress"] <= 0.99
    with pytest.raises(CellspanError, match="taught already"):
        teaching_of(taught).begin(list(taught.images.values()), "other", "nuclei", 1)


@pytest.mark.quick
def test_of_many_images_some_are_held_out(tmp_path: Path) -> None:
    pairs = []
    for number in range(10):
        own = [tmp_path / f"{number}_{z}_img.tif" for z in range(2)]
        for path in own:
            path.touch()
            path.with_name(path.name.replace("_img", "_masks")).touch()
        pairs.append(own)
    assert module._divided(pairs) == 20
    assert {path.name.split("_")[0] for path in (tmp_path / "val").glob("*_img.tif")} == {"4", "9"}
    assert len(list((tmp_path / "val").glob("*_masks.tif"))) == 4
    assert module._divided(pairs[:9]) == 18


@pytest.mark.end_to_end
def test_a_real_training(taught: Review) -> None:
    teaching, signs = Teaching(taught.place, lambda: signs.append(None)), []
    begun = teaching.begin(list(taught.images.values()), "taught_by_review", "nuclei", 0.05)
    assert (begun["state"], begun["images"]) == ("training", 2)
    end = time.monotonic() + 300
    while (told := teaching.as_json())["state"] == "training":
        assert time.monotonic() < end
        time.sleep(0.2)
    assert told["state"] == "done", told
    assert 0 <= told["before"] <= 1
    assert 0 <= told["after"] <= 1
    assert find_model("taught_by_review").sha256 != find_model("nuclei").sha256
    assert signs


@pytest.mark.end_to_end
def test_a_training_is_stopped(taught: Review) -> None:
    teaching = teaching_of(taught)
    teaching.begin(list(taught.images.values()), "never_ready", "nuclei", 5)
    pid = json.loads((taught.place / "teach.json").read_text())["pid"]
    told = teaching.stop()
    assert told["state"] == "cancelled"
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
