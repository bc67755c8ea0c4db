"""What was reviewed is written beside the results of the run, which stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import roifile
import tifffile

from .conftest import Tab, ids_of

pytestmark = pytest.mark.quick


def test_labels_outlines_and_pairs(tab: Tab, plate: Path) -> None:
    [name] = ids_of(tab, ["A01.tif"])
    run = (plate / "cellspan_results" / "A01_labels.tif").read_bytes()
    tab.post(f"images/{name}/edit", revision=0, edit={"kind": "delete", "labels": [1]})
    tab.post(f"images/{name}/verdict", revision=1, verdict="accepted")
    answer = tab.post("save", kinds=["labels", "rois", "pairs"]).json()
    reviewed = plate / "cellspan_results" / "reviewed"
    assert [(one["kind"], Path(one["path"])) for one in answer["written"]] == [
        ("labels", reviewed / "A01_labels.tif"),
        ("rois", reviewed / "A01_rois.zip"),
        ("pairs", reviewed / "pairs" / "A01_img.tif"),
    ]
    labels = tifffile.imread(reviewed / "A01_labels.tif")
    assert (labels.dtype, np.unique(labels).tolist()) == (np.uint16, [0, 1])
    assert labels[35, 45] == 1
    assert len(roifile.roiread(reviewed / "A01_rois.zip")) == 1
    np.testing.assert_array_equal(
        tifffile.imread(reviewed / "pairs" / "A01_img.tif"), tifffile.imread(plate / "A01.tif")
    )
    assert (plate / "cellspan_results" / "A01_labels.tif").read_bytes() == run


def test_what_has_no_labels_is_named(tab: Tab) -> None:
    answer = tab.post("save", kinds=["labels"], ids="all").json()
    assert [Path(one["path"]).name for one in answer["written"]] == ["A01_labels.tif"]
    [left] = answer["left"]
    assert left["sentence"] == "B02.tif has no labels yet; segment it first."


def test_nothing_is_accepted_yet(tab: Tab) -> None:
    answer = tab.post("save", kinds=["rois"]).json()
    assert (answer["written"], answer["left"]) == ([], [])
