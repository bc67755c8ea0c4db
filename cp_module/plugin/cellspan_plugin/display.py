"""The module's window: images, labels, outlines and a table; one slice of a 3D image."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

from cellspan_plugin.filters import Filtered, discarded
from cellspan_plugin.table import Column, table_of
from cellspan_plugin.volumes import fullest_slice

LETTERS = 100  # in a line of notes, so that it fits into a new window
LETTER_SIZE = 8  # points


class Shown:
    """The results of one image, collected for display."""

    def __init__(self, image: np.ndarray, anisotropy: float = 1.0, nuclei_image: np.ndarray | None = None) -> None:
        """Images are (Y, X) or (Y, X, 3); in 3D with a leading Z axis."""
        self.image, self.nuclei_image, self.anisotropy = image, nuclei_image, anisotropy
        self.columns: dict[str, Column] = {}
        self.stages: Filtered | None = None  # of the module's own objects
        self.restored: np.ndarray | None = None  # the image that the network saw, if it was restored; maybe larger
        self.notes: list[str] = []  # what the user should know of a result

    def add(self, name: str, stages: Filtered, result: Any, model: str) -> None:
        """Add objects that the engine found, first those with the module's own name; `model` as in the panel."""
        self.columns[name] = Column(stages.segmented, stages.reasons, result, model)
        self.notes += [f"{name}: {note}" for note in result.notes]
        if self.stages is None:
            self.stages = stages

    def add_labels(self, name: str, labels: np.ndarray) -> None:
        """Add objects that come from elsewhere or were made of others."""
        self.columns[name] = Column(labels, {})

    def remember(self, display_data: Any) -> None:
        """Store what `draw` shows; only arrays and text, because it may be sent between processes."""
        stages = self.stages
        assert stages is not None, "nothing was added"
        first = stages.segmented
        place: Any = ...
        display_data.place = ""
        if first.ndim == 3:
            place = fullest_slice(first)
            display_data.place = f", slice {place + 1} of {len(first)}"
        display_data.image = self.image[place]
        display_data.nuclei_image = None if self.nuclei_image is None else self.nuclei_image[place]
        display_data.restored = None if self.restored is None else self.restored[place]
        display_data.names = list(self.columns)
        display_data.labels = [column.labels[place] for column in self.columns.values()]
        found, large = stages.unedited_segmented[place], stages.small_removed_segmented[place]
        display_data.too_small = discarded(found, large)
        display_data.dropped = discarded(large, first[place])
        display_data.notes = self.notes
        display_data.row_labels, display_data.rows = table_of(self.columns, self.anisotropy)


def draw(figure: Any, data: Any, title: str, nuclei_title: str) -> None:
    """The parts of the window, as in IdentifyPrimaryObjects; images of the nuclei and restored ones have own places."""
    further = [image for image in (data.restored, data.nuclei_image) if image is not None]
    first, rest = data.names[0], data.names[1:]
    last = len(further) + 1  # place of the labels in the upper row
    figure.set_subplots((last + 1, 2))
    axes = _show(figure, data.image)(0, 0, data.image, title + data.place)
    place = 1
    if data.restored is not None:
        same = {"sharexy": axes} if data.restored.shape[:2] == data.image.shape[:2] else {}
        _show(figure, data.restored)(place, 0, data.restored, "Restored", **same)
        place += 1
    if data.nuclei_image is not None:
        outlined = [{"name": name, "labels": [labels]} for name, labels in zip(data.names[1:2], data.labels[1:2])]
        _show(figure, data.nuclei_image)(place, 0, data.nuclei_image, nuclei_title, cplabels=outlined, sharexy=axes)
    figure.subplot_imshow_labels(last, 0, data.labels[0], first, sharexy=axes)
    _show(figure, data.image)(0, 1, data.image, f"{first} outlines", cplabels=_outlines(data), sharexy=axes)
    columns = {"col_labels": data.names} if rest else {}
    width = {"n_cols": last} if further else {}
    figure.subplot_table(1, 1, data.rows, row_labels=data.row_labels, **columns, **width)
    if data.notes:
        lines = [line for note in data.notes for line in textwrap.wrap(note, LETTERS)]
        figure.figure.suptitle("\n".join(lines), fontsize=LETTER_SIZE)


def _show(figure: Any, image: np.ndarray) -> Any:
    """The figure's function for a grey or a colour image."""
    return figure.subplot_imshow_color if image.ndim == 3 else figure.subplot_imshow_grayscale


def _outlines(data: Any) -> list[dict[str, Any]]:
    """Layers whose colours the user can change; the cytoplasm has no outline of its own."""
    layers = [{"name": name, "labels": [labels]} for name, labels in zip(data.names[:2], data.labels[:2])]
    return [
        *layers,
        {"name": "Objects filtered out by size", "labels": [data.too_small]},
        {"name": "Other discarded objects", "labels": [data.dropped]},
    ]
