"""The display shows image, objects, outlines and a table, from data that can travel between processes."""

from __future__ import annotations

import pickle

import numpy
from _figure import Figure
from _workspace import disks, new_module, run


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
    figure.save("display.png")
    return figure


grey = displayed(disks())
table = grey.shown[1, 1]
assert int(table["# of accepted Nuclei"]) >= 5
assert table["Model, diameter used"].startswith("nuclei, ")
percentiles = table["10th, 50th, 90th pctile diameter"].replace(" pixels", "")
low, median, high = (float(part) for part in percentiles.split(", "))
assert 10 < low <= median <= high < 30
assert table["Seconds"].endswith("on cpu")
title, more = grey.shown[0, 1]
assert title == "Nuclei outlines"
names = [layer["name"] for layer in more["cplabels"]]
assert names == ["Nuclei", "Objects filtered out by size", "Other discarded objects"]
at_border = more["cplabels"][2]["labels"][0]
assert at_border[30, 2], "the nucleus that the border cuts is shown as such"
assert more["sharexy"] == "axes"

assert displayed(numpy.dstack([disks()] * 3)).shown[0, 0][0].startswith("DNA, cycle #")
flat = displayed(numpy.zeros((64, 64), numpy.uint8)).shown[1, 1]
assert flat["# of accepted Nuclei"] == "0"

# Cells and nuclei together: both are outlined, all three are counted
from check_pairs import CELLS, NUCLEI, module_with, run_pair  # noqa: E402

module = module_with(discard_border=True)
pairs = run_pair(CELLS, NUCLEI, module, show=True)
figure = Figure()
module.display(pairs.workspace, figure)
figure.save("display_pairs.png")
assert [layer["name"] for layer in figure.shown[0, 1][1]["cplabels"]][:2] == ["Cells", "Nuclei"]
table = figure.shown[1, 1]
assert table["# of accepted Cells"] == table["# of accepted Nuclei"] == table["# of accepted Cytoplasm"]
