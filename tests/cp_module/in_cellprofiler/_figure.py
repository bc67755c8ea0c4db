"""Draws what CellProfiler's window would, which needs a desktop: with matplotlib, into a picture file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy
from matplotlib import pyplot

COLOURS = ("lime", "cyan", "yellow", "red")  # of the layers of outlines


class Figure:
    """Draws what CellProfiler's window would, which needs a desktop: with matplotlib, into a picture file."""

    def __init__(self) -> None:
        self.shown = {}

    def set_subplots(self, subplots: tuple) -> None:
        self.shape = subplots
        self.figure, self.axes = pyplot.subplots(*reversed(subplots), figsize=(12, 9))

    def subplot_imshow_grayscale(self, x: int, y: int, image: Any, title: str, **more: Any) -> str:
        assert image.ndim == 2
        return self._image(x, y, image, title, more)

    def subplot_imshow_color(self, x: int, y: int, image: Any, title: str, **more: Any) -> str:
        assert image.ndim == 3
        return self._image(x, y, image, title, more)

    def _image(self, x: int, y: int, image: Any, title: str, more: dict) -> str:
        self.shown[x, y] = (title, more)
        axes = self.axes[y][x]
        axes.imshow(image, cmap="gray")
        axes.set_title(title)
        for k, layer in enumerate(more.get("cplabels", ())):
            for labels in layer["labels"]:
                for label in range(1, int(labels.max()) + 1):
                    axes.contour(labels == label, [0.5], colors=[COLOURS[k]], linewidths=1)
        return "axes"

    def subplot_imshow_labels(self, x: int, y: int, labels: Any, title: str, **more: Any) -> None:
        self.shown[x, y] = (title, more)
        self.axes[y][x].imshow(numpy.ma.masked_equal(labels, 0), cmap="prism")
        self.axes[y][x].set_title(title)

    def subplot_table(
        self, x: int, y: int, rows: list, row_labels: list, col_labels: Any = None, n_cols: int = 1
    ) -> None:
        """Remembers the only text of each row, or the texts of all columns."""
        assert len(rows) == len(row_labels)
        assert all(len(row) == len(col_labels or "1") for row in rows)
        assert all(isinstance(text, str) for row in rows for text in row)
        assert x + n_cols <= self.shape[0]
        self.shown[x, y] = {label: rows[i] if col_labels else rows[i][0] for i, label in enumerate(row_labels)}
        self.axes[y][x].axis("off")
        self.axes[y][x].table(rows, rowLabels=row_labels, colLabels=col_labels, loc="center")

    def save(self, name: str) -> None:
        self.figure.savefig(Path(sys.argv[1]).parent / name)
        pyplot.close(self.figure)
