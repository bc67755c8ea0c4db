"""Uses both widgets in a real napari, as a person would, and writes what came of it into the folder given."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QApplication

OUT = Path(sys.argv[1])
PATIENCE = 240  # seconds
report: dict[str, Any] = {}


def until(condition: Callable[[], bool]) -> None:
    """Let the window live until something is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        QApplication.processEvents()
        time.sleep(0.02)
        if time.monotonic() > end:
            raise TimeoutError


def said() -> list[str]:
    """What napari has told since the last look."""
    messages = [record.message for record in notification_manager.records]
    notification_manager.records.clear()
    return messages


viewer = napari.Viewer()
viewer.open_sample("cellspan", "nuclei")
_, cells = viewer.window.add_plugin_dock_widget("cellspan", "Segment cells")
until(lambda: "nuclei" in cells.model.choices)


def segmented(name: str) -> np.ndarray:
    cells.run.native.click()
    until(lambda: cells._aside is None)
    return np.array(viewer.layers[name].data)


# one plane, then other thresholds
cells.image.value, cells.model.value = viewer.layers["nuclei"], "nuclei"
np.save(OUT / "image.npy", viewer.layers["nuclei"].data)
np.save(OUT / "plane.npy", segmented("nuclei objects"))
report["words"] = cells.words.value
report["features"] = list(viewer.layers["nuclei objects"].features.columns)
report["rows"] = len(viewer.layers["nuclei objects"].features)
seconds = cells._seen.kept.seconds
cells.cellprob_threshold.value = 3.0
until(lambda: cells._aside is None and not cells._is_due)
np.save(OUT / "other.npy", np.array(viewer.layers["nuclei objects"].data))
report["kept"] = cells._seen.kept.seconds == seconds
QApplication.processEvents()
viewer.window._qt_window.resize(1300, 850)
for _ in range(20):
    QApplication.processEvents()
    time.sleep(0.02)
viewer.window._qt_window.grab().save(str(OUT / "window.png"))

# what the user has corrected stays
corrected = viewer.layers["nuclei objects"]
corrected.selected_label = 500
corrected.paint((4, 4), 500)
before = np.array(corrected.data)
cells.cellprob_threshold.value = 1.0
until(lambda: cells._aside is None and not cells._is_due)
report["stays"] = cells.words.value, bool((corrected.data == before).all())
segmented("nuclei objects")
report["anew"] = bool((corrected.data == before).all()), "nuclei objects [1]" in viewer.layers
cells.cellprob_threshold.value = 3.0
until(lambda: cells._aside is None and not cells._is_due)

# a line measures the diameter
cells.measure.native.click()
report["mode"] = str(viewer.layers.selection.active.mode)
viewer.layers["typical cell"].add_lines(np.array([[10.0, 10.0], [10.0, 36.5]]))
report["diameter"] = cells.diameter.value

# a model that restores images and is not there is told
said()
cells.restore.value = "denoise_cyto3"
cells.run.native.click()
until(lambda: cells._aside is None)
report["restoring"] = said()
cells.restore.value = "No"

# Cellpose's window gets what napari saves
report["saved"] = [Path(path).name for path in corrected.save(str(OUT / "nuclei_seg.npy"), plugin="cellspan")]

# a stack: every plane, and as a volume
image = viewer.layers["nuclei"].data[:160, :160]
viewer.add_image(np.stack([image, image[::-1]]), name="stack", scale=(2, 1, 1))
cells.image.value = viewer.layers["stack"]
cells.way.value = "Every plane"
np.save(OUT / "planes.npy", segmented("stack objects"))
cells.way.value = "Slices, joined"
report["joined"] = int(segmented("stack objects").max())
report["anisotropy"] = viewer.layers["stack objects"].metadata["cellspan"]["anisotropy"]

# what cannot be, and what is stopped
said()
cells.nuclei.value = viewer.layers["nuclei"]
cells.run.native.click()
report["differ"] = said()
cells.nuclei.value = None
viewer.add_image(np.tile(image, (30, 4, 4)), name="large")
cells.image.value, cells.way.value = viewer.layers["large"], "Volume (3D)"
cells.run.native.click()
until(lambda: cells._told[1] != "")
cells.cancel.native.click()
until(lambda: cells._aside is None)
report["cancelled"] = cells.words.value, "large objects" in viewer.layers

# corrected labels teach a model
_, teach = viewer.window.add_plugin_dock_widget("cellspan", "Teach a model")
until(lambda: "nuclei" in teach.start_model.choices)
teach.image.value, teach.labels_layer.value = viewer.layers["nuclei"], viewer.layers["nuclei objects"]
teach.folder.value, teach.new_name.value = OUT / "corrected", "taught in napari"
teach.start_model.value, teach.minutes.value = "nuclei", 0.1
said()
teach.train.native.click()
report["nothing"] = said()
teach.add.native.click()
report["added"] = teach.words.value
teach.train.native.click()
until(lambda: teach._training is None)
report["taught"] = said()

(OUT / "report.json").write_text(json.dumps(report))
viewer.close()
