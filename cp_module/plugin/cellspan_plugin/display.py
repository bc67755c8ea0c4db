"""The module's window: image, labels, outlines and a table; one slice of a 3D image."""

from __future__ import annotations

from typing import Any

import numpy as np

from cellspan_plugin.filters import Filtered, discarded
from cellspan_plugin.measurements import statistics
from cellspan_plugin.volumes import fullest_slice


class Shown:
    """The results of one image, collected for display."""

    def __init__(self, image: np.ndarray, anisotropy: float = 1.0) -> None:
        """`image` is (Y, X) or (Y, X, 3); in 3D with a leading Z axis."""
        self.image, self.anisotropy = image, anisotropy
        self.labels: dict[str, np.ndarray] = {}
        self.results: dict[str, Any] = {}
        self.discarded: Filtered | None = None

    def add(self, name: str, stages: Filtered | None, result: Any = None, labels: np.ndarray | None = None) -> None:
        """Add objects, first those with the module's own name; `labels` if there are no stages."""
        shown = stages.segmented if stages is not None else labels
        assert shown is not None, f"{name} has neither stages nor labels"
        self.labels[name] = shown
        if result is not None:
            self.results[name] = result
        if self.discarded is None:
            self.discarded = stages

    def remember(self, display_data: Any) -> None:
        """Store what `draw` shows; only arrays and text, because it may be sent between processes."""
        stages = self.discarded
        assert stages is not None, "nothing was added"
        display_data.statistics = statistics(self.labels, self.results, self.anisotropy)
        first = stages.segmented
        place: Any = ...
        display_data.place = ""
        if first.ndim == 3:
            place = fullest_slice(first)
            display_data.place = f", slice {place + 1} of {len(first)}"
        display_data.image = self.image[place]
        display_data.names = list(self.labels)
        display_data.labels = [labels[place] for labels in self.labels.values()]
        found, large = stages.unedited_segmented[place], stages.small_removed_segmented[place]
        display_data.too_small = discarded(found, large)
        display_data.dropped = discarded(large, first[place])


def draw(figure: Any, data: Any, title: str) -> None:
    """The four parts of the window."""
    show = figure.subplot_imshow_color if data.image.ndim == 3 else figure.subplot_imshow_grayscale
    first = data.names[0]
    figure.set_subplots((2, 2))
    axes = show(0, 0, data.image, title + data.place)
    figure.subplot_imshow_labels(1, 0, data.labels[0], first, sharexy=axes)
    show(0, 1, data.image, f"{first} outlines", cplabels=_outlines(data), sharexy=axes)
    rows: list[Any] = [[value] for _, value in data.statistics]
    figure.subplot_table(1, 1, rows, row_labels=[row for row, _ in data.statistics])


def _outlines(data: Any) -> list[dict[str, Any]]:
    """Layers whose colours the user can change; the cytoplasm has no outline of its own."""
    layers = [{"name": name, "labels": [labels]} for name, labels in zip(data.names[:2], data.labels[:2])]
    return [
        *layers,
        {"name": "Objects filtered out by size", "labels": [data.too_small]},
        {"name": "Other discarded objects", "labels": [data.dropped]},
    ]
