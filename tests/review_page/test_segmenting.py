"""Segmenting from the page: results like those of a run, other thresholds without the network, stopping."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from cellspan.core.results.run_record import NEWEST

from .conftest import FakeEngine, Tab, ids_of

pytestmark = pytest.mark.quick


def again(tab: Tab, name: str, **more: Any) -> dict[str, Any]:
    entry = tab.entry(name)
    answer = tab.post(f"images/{entry['id']}/again", **{"revision": entry["revision"], "parameters": {}, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_has_none_gets_results_and_a_record(tab: Tab, plate: Path) -> None:
    assert tab.post("segment", ids="none yet", parameters={"model": "nuclei", "diameter": 9}).json() == {"accepted": 1}
    entry = tab.entry("B02.tif")
    assert (entry["state"], entry["count"], entry["probability"]) == ("done", 1, 3.0)
    results = plate / "cellspan_results"
    assert tifffile.imread(results / "B02_labels.tif").max() == 1
    assert {path.name for path in results.glob("B02_*")} == {
        "B02_labels.tif",
        "B02_rois.zip",
        "B02_objects.csv",
        "B02_overlay.png",
    }
    record = json.loads((results / NEWEST).read_text())
    assert (record["ended"], record["parameters"]["diameter"], record["model"]["name"]) == ("finished", 9.0, "nuclei")
    [one] = record["inputs"]
    assert (one["input"], one["objects"], one["outputs"]["labels"]) == (str(plate / "B02.tif"), 1, "B02_labels.tif")
    assert tab.get(f"images/{entry['id']}").json()["notes"] == ["a note"]


def test_thresholds_need_the_network_once(tab: Tab, engines: list[FakeEngine]) -> None:
    counts = [again(tab, "A01.tif", parameters={"cellprob_threshold": value})["count"] for value in (0, 5, 20, 0)]
    assert counts == [2, 2, 0, 2]
    assert sum(engine.networks for engine in engines) == 1
    again(tab, "A01.tif", parameters={"diameter": 30})
    assert sum(engine.networks for engine in engines) == 2


def test_after_segmenting_the_network_is_not_asked_again(tab: Tab, engines: list[FakeEngine]) -> None:
    tab.post("segment", ids=ids_of(tab, ["B02.tif"]), parameters={"model": "nuclei"})
    tab.entries()
    for engine in engines:
        engine.kept = engines[0].kept  # one service, whatever the client
    again(tab, "B02.tif", parameters={"min_size": 3})
    assert sum(engine.networks for engine in engines) == 1


def test_an_engine_that_forgot_is_asked_anew(tab: Tab, engines: list[FakeEngine]) -> None:
    again(tab, "A01.tif")
    for engine in engines:
        engine.forgets = True
    assert again(tab, "A01.tif")["count"] == 2
    assert sum(engine.networks for engine in engines) == 2


def test_corrections_are_replaced_only_on_request(tab: Tab) -> None:
    entry = tab.entry("A01.tif")
    tab.post(f"images/{entry['id']}/edit", revision=0, edit={"kind": "delete", "labels": [1]})
    preview = again(tab, "A01.tif")
    assert (preview["preview"], preview["edited"], preview["revision"], preview["count"]) == (True, True, 1, 2)
    assert tab.entry("A01.tif")["count"] == 1
    done = again(tab, "A01.tif", replace=True)
    assert (done["preview"], done["edited"], done["revision"], done["count"]) == (False, False, 2, 2)
    undone = tab.post(f"images/{entry['id']}/undo", revision=2).json()
    assert (undone["count"], undone["edited"]) == (1, True)


def test_a_run_over_corrections_can_be_undone(tab: Tab) -> None:
    [name] = ids_of(tab, ["A01.tif"])
    tab.post(f"images/{name}/edit", revision=0, edit={"kind": "delete", "labels": [1]})
    tab.post("segment", ids=[name], parameters={"model": "nuclei"})
    entry = tab.entry("A01.tif")
    assert (entry["count"], entry["edited"], entry["revision"]) == (2, False, 2)
    assert tab.post(f"images/{name}/undo", revision=2).json()["count"] == 1


def test_accepted_images_are_left_alone(tab: Tab) -> None:
    [name] = ids_of(tab, ["A01.tif"])
    tab.post(f"images/{name}/verdict", revision=0, verdict="accepted")
    assert tab.post("segment", ids="all", parameters={"model": "nuclei"}).json() == {"accepted": 1}
    tab.entries()


def test_stopping(tab: Tab, engines: list[FakeEngine]) -> None:
    for engine in engines:
        engine.gate.clear()
    assert tab.post("segment", ids="all", parameters={"model": "nuclei"}).json() == {"accepted": 2}
    assert tab.get("images", since=0).json()["busy"]
    tab.send("DELETE", "segment", {"ids": "all"})
    entries = tab.entries()
    assert {name: entry["state"] for name, entry in entries.items()} == {"A01.tif": "done", "B02.tif": "none"}
    assert not sum(engine.networks for engine in engines)


def test_what_fails_is_told(tab: Tab, plate: Path) -> None:
    (plate / "B02.tif").write_bytes(b"nothing")
    tab.post("segment", ids=ids_of(tab, ["B02.tif"]), parameters={"model": "nuclei"})
    entry = tab.entry("B02.tif")
    assert entry["state"] == "failed"
    assert "B02.tif" in entry["sentence"]


@pytest.mark.parametrize(
    ("parameters", "words"), [({"model": "unknown_model"}, "unknown_model"), ({"diameter": -4}, "diameter = -4")]
)
def test_wrong_parameters_are_refused_at_once(parameters: dict[str, Any], words: str, tab: Tab) -> None:
    answer = tab.post("segment", ids="all", parameters=parameters)
    assert answer.status_code == 400
    assert words in answer.json()["sentence"]
    assert not tab.get("images", since=0).json()["busy"]


def test_a_stack_is_segmented_whole(tab: Tab, plate: Path, open_tab: Any) -> None:
    stack = np.stack([tifffile.imread(plate / "A01.tif")] * 3)
    tifffile.imwrite(plate / "stack.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    other = open_tab(plate)
    entry = other.entry("stack.tif")
    other.post("segment", ids=[entry["id"]], parameters={"model": "nuclei"})
    assert other.entry("stack.tif")["count"] == 2
    colours = [
        {one["label"]: one["color"] for one in other.get(f"images/{entry['id']}/outlines", z=z).json()["objects"]}
        for z in range(3)
    ]
    assert colours[0] == colours[1] == colours[2]
    assert len(colours[0]) == 2
    refused = other.post(f"images/{entry['id']}/again", revision=1, parameters={})
    assert (refused.status_code, refused.json()["code"]) == (400, "volume")
