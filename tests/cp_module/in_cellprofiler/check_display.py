"""The display shows image, objects, outlines and a table, from data that can travel between processes."""

from __future__ import annotations

import pickle
from typing import Any

import numpy
from _workspace import disks, new_module, run


class Figure:
    """Stands in for CellProfiler's window, which needs a desktop: notes what is shown where."""

    def __init__(self) -> None:
        self.shown = {}

    def set_subplots(self, subplots: tuple) -> None:
        self.shape = subplots

    def subplot_imshow_grayscale(self, x: int, y: int, image: Any, title: str, **more: Any) -> str:
        assert image.ndim == 2
        self.shown[x, y] = (title, more)
        return "axes"

    def subplot_imshow_color(self, x: int, y: int, image: Any, title: str, **more: Any) -> str:
        assert image.ndim == 3
        self.shown[x, y] = (title, more)
        return "axes"

    def subplot_imshow_labels(self, x: int, y: int, labels: Any, title: str, **more: Any) -> None:
        self.shown[x, y] = (title, more)

    def subplot_table(self, x: int, y: int, rows: list, row_labels: list) -> None:
        self.shown[x, y] = {label: rows[i][0] for i, label in enumerate(row_labels)}


def displayed(image: numpy.ndarray) -> Figure:
    module = new_module()
    module.discard_border.value = True
    module.min_size.value = 150
    done = run(image, module, show=True)
    data = done.workspace.display_data
    pickle.loads(pickle.dumps(vars(data)))
    figure = Figure()
    module.display(done.workspace, figure)
    assert figure.shape == (2, 2)
    assert set(figure.shown) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    return figure


grey = displayed(disks())
table = grey.shown[1, 1]
assert int(table["# of accepted objects"]) >= 5
assert table["Model"] == "nuclei"
assert 10 < float(table["Median diameter"].split()[0]) < 30
assert table["Diameter used"].endswith("pixels")
title, more = grey.shown[0, 1]
assert title == "Nuclei outlines"
names = [layer["name"] for layer in more["cplabels"]]
assert names == ["Nuclei", "Objects filtered out by size", "Objects touching border"]
at_border = more["cplabels"][2]["labels"][0]
assert at_border[30, 2], "the nucleus that the border cuts is shown as such"
assert more["sharexy"] == "axes"

assert displayed(numpy.dstack([disks()] * 3)).shown[0, 0][0].startswith("DNA, cycle #")
flat = displayed(numpy.zeros((64, 64), numpy.uint8)).shown[1, 1]
assert flat["# of accepted objects"] == "0"
