"""What a person does with a review: corrections, undo, verdicts, and two tabs that do not overwrite each other."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile

from .conftest import Opened, Tab

pytestmark = pytest.mark.quick
DELETE = {"kind": "delete", "labels": [1]}


@pytest.fixture
def name(tab: Tab) -> str:
    return str(tab.entry("A01.tif")["id"])


def edit(tab: Tab, name: str, revision: int, correction: dict[str, Any]) -> Any:
    return tab.post(f"images/{name}/edit", revision=revision, edit=correction)


def test_the_head(tab: Tab, plate: Path) -> None:
    about = tab.get("session").json()
    assert (about["folder"], about["folderName"], about["models"][0]["name"]) == (str(plate), "plate", "nuclei")
    assert about["specs"]


def test_details(tab: Tab, name: str) -> None:
    found = tab.get(f"images/{name}").json()
    assert found["channelRanges"][0]["highest"] == 200
    assert found["levels"] == [{"scale": 1, "shape": [64, 72]}]
    assert (found["canUndo"], found["shape"]) == (False, [64, 72])


def test_corrections_in_turn(tab: Tab, name: str) -> None:
    split = {"kind": "split", "label": 1, "line": [10, 0, 10, 30]}
    draw = {"kind": "draw", "polygon": [50, 0, 60, 0, 60, 10]}
    assert edit(tab, name, 0, split).json()["changed"] == [1, 3]
    assert edit(tab, name, 1, {"kind": "merge", "labels": [2, 3]}).json()["changed"] == [2, 3]
    answer = edit(tab, name, 2, draw).json()
    assert (answer["count"], answer["edited"], answer["revision"], answer["changed"]) == (3, True, 3, [3])
    assert tab.entry("A01.tif")["count"] == 3
    answer = tab.post(f"images/{name}/undo", revision=3).json()
    assert (answer["count"], answer["canUndo"], answer["canRedo"]) == (2, True, True)
    assert tab.post(f"images/{name}/redo", revision=4).json()["count"] == 3


def test_two_tabs_do_not_overwrite_each_other(tab: Tab, name: str, plate: Path, open_tab: Opened) -> None:
    other = open_tab(plate)
    assert edit(tab, name, 0, DELETE).status_code == 200
    for refused in (
        edit(other, name, 0, {"kind": "delete", "labels": [2]}),
        other.post(f"images/{name}/undo", revision=0),
        other.post(f"images/{name}/verdict", revision=0, verdict="accepted"),
        other.post(f"images/{name}/again", revision=0, parameters={}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        assert "changed elsewhere" in refused.json()["sentence"]
        assert refused.json()["fields"]["image"]["revision"] == 1
    assert edit(other, name, 1, {"kind": "delete", "labels": [2]}).json()["count"] == 0


@pytest.mark.parametrize(("take", "count"), [(True, 0), (False, 1)])
def test_new_results_of_a_run_or_the_corrections(tab: Tab, name: str, plate: Path, take: bool, count: int) -> None:
    edit(tab, name, 0, DELETE)
    tifffile.imwrite(plate / "cellspan_results" / "A01_labels.tif", np.zeros((64, 72), np.uint16))
    while not tab.entry("A01.tif")["newResults"]:
        time.sleep(0.05)
    answer = tab.post(f"images/{name}/new_results", revision=1, take=take).json()
    assert (answer["count"], answer["newResults"], answer["revision"]) == (count, False, 2)
    assert not tab.entry("A01.tif")["newResults"]
    assert tab.post(f"images/{name}/new_results", revision=1, take=take).status_code == 409
    again = tab.post(f"images/{name}/new_results", revision=2, take=take)
    assert (again.status_code, again.json()["code"]) == (400, "no_news")


def test_a_picture_in_colours(tab: Tab, open_tab: Opened, tmp_path: Path) -> None:
    folder = tmp_path / "colours"
    folder.mkdir()
    given = np.random.default_rng(0).integers(40, 90, (50, 60, 4)).astype(np.uint8)
    given[..., 3] = 255
    PIL.Image.fromarray(given, "RGBA").save(folder / "stained.png")
    own = open_tab(folder)
    about = own.get(f"images/{own.entry('stained.png')['id']}").json()
    assert (about["isRgb"], about["channelNames"]) == (True, ["red", "green", "blue"])
    ranges = [(one["low"], one["high"], one["color"]) for one in about["channelRanges"]]
    assert ranges == [(0, 255, "#ff0000"), (0, 255, "#00ff00"), (0, 255, "#0000ff")], "as they are stored"
    tile = own.get(f"images/{about['id']}/tile", channel=1)
    values = np.frombuffer(tile.content, "<u2").reshape(50, 60)
    np.testing.assert_array_equal(np.round(values / 257), given[..., 1])


def test_a_closed_tab_and_a_new_engine_lose_nothing(tab: Tab, name: str, plate: Path, page: Any) -> None:
    edit(tab, name, 0, DELETE)
    tab.post(f"images/{name}/verdict", revision=1, verdict="accepted")
    page._names.clear()  # as in another engine: a session of its own
    again = page.session(page.invite({"folder": str(plate)}) and list(page._sessions)[-1])
    image = again.image(name)
    assert image.labels()[0].max() == 2
    assert (image.labels()[0] == 1).sum() == 0
    assert (image.history.state.verdict, image.history.state.is_edited) == ("accepted", True)
    assert again.move(name, 2, 0, -1)["count"] == 2


def test_what_is_wrong_is_said(tab: Tab, name: str) -> None:
    for correction, words in (
        ({"kind": "delete", "labels": [7]}, "There is no object 7"),
        ({"kind": "draw", "polygon": [1, 2]}, "at least 3 points"),
        ({"kind": "paint"}, "is not possible"),
    ):
        answer = edit(tab, name, 0, correction)
        assert answer.status_code == 400
        assert words in answer.json()["sentence"]
    assert tab.post(f"images/{name}/undo", revision=0).json()["sentence"] == "There is nothing to undo."
    assert tab.get("images/nothing").status_code == 404
    assert tab.post("segment", ids=["nothing"], parameters={}).status_code == 404


def test_few_images_keep_their_labels_in_memory(
    tab: Tab, name: str, page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cellspan.review_page.review.MOST_IN_MEMORY", 1)
    tab.get(f"images/{name}/outlines")
    session = next(iter(page._sessions.values()))
    assert session.review.images[name].history._labels is not None
    other = tab.entry("B02.tif")["id"]
    tab.get(f"images/{other}/outlines")
    assert session.review.images[name].history._labels is None
