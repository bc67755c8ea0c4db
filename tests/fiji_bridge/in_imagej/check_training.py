"""Human in the loop: segment, correct the outlines in the ROI Manager, train on them, segment with the new model.

The corrections are those of a person who wants large nuclei only: small outlines are deleted, one is drawn again.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cellspan.core import Parameters
from cellspan.core.errors import CellspanError
from cellspan.core.models.registry import known_models
from cellspan.core.service.client import Engine
from cellspan.core.training.simulate import simulate_nuclei
from cellspan.fiji_bridge import connect, image_to_imagej, imagej_to_labels, segment, train_from_rois
from cellspan.fiji_bridge.gateway import on_event_thread

folder = Path(sys.argv[1])
imagej = connect(headless=False)
pixels = simulate_nuclei((224, 224), diameter=26, seed=5).image
image = image_to_imagej(pixels, "Kerne (1).tif")
image.show()

found = segment(image, Parameters(model="nuclei"), to="roi_manager")
manager = imagej.java_class("ij.plugin.frame.RoiManager").getInstance()
assert manager.getCount() == found.count > 10

# Delete two outlines and draw a third again, as a macro would.
imagej.run_macro(
    """
    roiManager("select", newArray(0, 1)); roiManager("delete");
    roiManager("select", 0);
    Roi.getBounds(x, y, width, height);
    makeOval(x, y, width + 2, height + 2); roiManager("update"); roiManager("deselect");
    """
)
assert manager.getCount() == found.count - 2
corrected = imagej_to_labels(manager, pixels.shape)
assert not np.array_equal(corrected > 0, found.labels > 0)


def refused(call: Callable[[], object], words: str) -> None:
    with pytest.raises(CellspanError, match=re.escape(words)):
        call()


# What cannot be learnt from is refused before any training.
refused(lambda: train_from_rois(image, manager, "nuclei"), "A model named 'nuclei' already exists")
refused(lambda: train_from_rois([image, image], manager, "new"), "2 images, but ROIs of 1")
roi, overlay = imagej.java_class("ij.gui.Roi"), imagej.java_class("ij.gui.Overlay")
refused(lambda: train_from_rois(image, overlay(), "new"), "Kerne_1_: there are no ROIs")
refused(lambda: train_from_rois(image, overlay(roi(1, 1, 9, 9)), "new"), "1 annotated object")
refused(lambda: train_from_rois(image, overlay(roi(500, 1, 9, 9)), "new"), "lies outside the image of 224 x 224")
refused(
    lambda: train_from_rois(image, overlay(imagej.java_class("ij.gui.Line")(1, 1, 9, 9)), "new"), "enclose no pixels"
)

lines: list[str] = []
manager.addRoi(imagej.java_class("ij.gui.Line")(1, 1, 30, 30))  # a scale bar, say
trained = train_from_rois(
    image, manager, "my nuclei", from_model="nuclei", minutes=0.2, folder=folder / "rounds", report=lines.append
)
assert any("1 of" in line and "are ignored" in line for line in lines), lines
assert str(trained.comparison) in lines[-1]
assert 0.5 < trained.comparison.before < 1
assert trained.comparison.after > 0.5
assert [item.origin for item in known_models() if item.name == "my nuclei"] == ["your own"]
engine = Engine([sys.executable, "-m", "cellspan.core.cli", "serve"])  # what Fiji and CellProfiler ask
listed = engine.connect().json("GET", "/v1/models")["models"]
assert "my nuclei" in [model["name"] for model in listed]
through_the_engine = engine.segment(pixels, {"model": "my nuclei"})
assert sorted(path.name for path in (folder / "rounds" / "images").iterdir()) == [
    "Kerne_1_.tif",
    "Kerne_1__rois.zip",
]

on_event_thread(manager.reset)
again = segment(image, Parameters(model="my nuclei"), to="roi_manager")
assert manager.getCount() == again.count > 5
assert again.results[0].model_sha256 == trained.model.sha256 != found.results[0].model_sha256
np.testing.assert_array_equal(through_the_engine.labels, again.labels)
