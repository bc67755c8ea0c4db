"""The display shows image, objects, outlines and a table, from data that can travel between processes."""

from __future__ import annotations

import pickle

import numpy
from _figure import Figure
from _workspace import disks, new_module, run
from cellspan_plugin.layout import MASK_OBJECTS


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
assert int(table["Objects"]) >= 5
assert table["Discarded: border"] == "1"
assert table["Discarded: too small"] == "0"
assert "Discarded: diameter" not in table, "nobody asked for it"
model, diameter = table["Model, diameter"].split(", ")
assert model == "Nuclei", "as in the panel"
assert 10 < float(diameter) < 30
low, median, high = (float(part) for part in table["Diameter 10, 50, 90 %"].split(", "))
assert 10 < low <= median <= high < 30
assert len(table) <= 8, "more does not fit into a new window"
assert table["Seconds"].endswith(", cpu")
title, more = grey.shown[0, 1]
assert title == "Nuclei outlines"
names = [layer["name"] for layer in more["cplabels"]]
assert names == ["Nuclei", "Objects filtered out by size", "Other discarded objects"]
at_border = more["cplabels"][2]["labels"][0]
assert at_border[30, 2], "the nucleus that the border cuts is shown as such"
assert more["sharexy"] == "axes"

assert displayed(numpy.dstack([disks()] * 3)).shown[0, 0][0].startswith("DNA, cycle #")
flat = displayed(numpy.zeros((64, 64), numpy.uint8)).shown[1, 1]
assert flat["Objects"] == "0"

# Cells and nuclei together: both are outlined, all three are counted
from check_pairs import CELLS, NUCLEI, module_with, run_pair  # noqa: E402

module = module_with(discard_border=True)
pairs = run_pair(CELLS, NUCLEI, module, show=True)
figure = Figure()
module.display(pairs.workspace, figure)
figure.save("display_pairs.png")
assert [layer["name"] for layer in figure.shown[0, 1][1]["cplabels"]][:2] == ["Cells", "Nuclei"]
table = figure.shown[1, 1]
assert len(set(table["Objects"])) == 1
assert [text.split(", ")[0] for text in table["Model, diameter"]] == ["Cells", "Nuclei", ""]
assert len(table) <= 8, "more does not fit into a new window"
alone = len({*numpy.unique(pairs.workspace.display_data.labels[0])} - {0})
assert table["Objects"][0] == str(alone)

# The image of the nuclei has a place of its own, with their outlines
assert figure.shape == (3, 2)
title, more = figure.shown[1, 0]
assert title.startswith("Other, cycle #")
assert [layer["name"] for layer in more["cplabels"]] == ["Nuclei"]

# What the user should know stands above everything, in lines that fit into a new window, with the objects' name
assert figure.figure._suptitle is None
module = module_with(discard_border=True, where=MASK_OBJECTS, mask_objects="Tissue")
nowhere = run_pair(CELLS, NUCLEI, module, show=True, Tissue=numpy.zeros(CELLS.shape, numpy.int32))
pickle.loads(pickle.dumps(vars(nowhere.workspace.display_data)))
figure = Figure()
module.display(nowhere.workspace, figure)
words = "{}: Tissue is empty, so there was nowhere to look."
assert figure.figure._suptitle.get_text() == "\n".join(words.format(name) for name in ("Cells", "Nuclei"))
nowhere.workspace.display_data.notes = [f"Cells: {'word ' * 50}"]
module.display(nowhere.workspace, figure)
lines = figure.figure._suptitle.get_text().split("\n")
assert len(lines) == 3
assert max(map(len, lines)) <= 100
figure.save("display_notes.png")

# What is discarded is counted once, for the first reason
from cellspan_plugin.filters import filter_objects  # noqa: E402

labels = numpy.zeros((20, 20), numpy.int32)
labels[0, 0] = 1  # too small, and at the border
labels[0:3, 5:8] = 2  # at the border
labels[5:10, 5:10] = 3
labels[12:18, 1:19] = 4  # too large
stages = filter_objects(labels, labels >= 0, 4, True, (2.0, 8.0))
assert stages.reasons == {"too small": 1, "diameter": 1, "border": 1}, stages.reasons
