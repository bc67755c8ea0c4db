"""Cells and nuclei in one step: pairs, parents and children, cytoplasm, and what the rules do."""

from __future__ import annotations

from typing import Any

import numpy
from _workspace import new_module, run_pair
from cellprofiler_core.image import Image
from cellspan_plugin.layout import DISCARD, KEEP, NUCLEI_EXIST, SPLIT


def picture() -> tuple:
    """An 8-bit picture of six cells and one of their nuclei; the third cell has two, the fourth none."""
    rows, columns = numpy.mgrid[:240, :360]
    cells, nuclei = numpy.full(rows.shape, 15.0), numpy.full(rows.shape, 15.0)

    def add(image: Any, y: float, x: float, radius: float, height: float, long: float = 1.0) -> None:
        distance = numpy.hypot(rows - y, (columns - x) / long)
        image += height / (1 + numpy.exp((distance - radius) / 1.2))

    for k, (y, x) in enumerate([(60, 60), (60, 170), (60, 290), (180, 60), (180, 180), (180, 300)]):
        add(cells, y, x, 30, 120, 1.4 if k == 2 else 1.0)
        for shift in {2: (-16, 16), 3: ()}.get(k, (0,)):
            add(nuclei, y, x + shift, 11, 170)
    noise = numpy.random.RandomState(1).normal(0, 3, (2, *rows.shape))
    return tuple(numpy.clip(numpy.stack([cells, nuclei]) + noise, 0, 255).astype(numpy.uint8))


CELLS, NUCLEI = picture()


def module_with(**values: Any) -> Any:
    module = new_module()
    module.y_name.value = "Cells"
    module.model.value = "Cells"
    module.together.value = True
    module.nuclei_image.value = "Other"
    module.automatic_diameter.value = False
    module.diameter.value = 60.0
    module.nuclei_diameter.value = 22.0
    for name, value in values.items():
        getattr(module, name).value = value
    return module


def objects(done: Any, name: str) -> numpy.ndarray:
    return done.workspace.object_set.get_objects(name).segmented


def measured(done: Any, name: str, feature: str) -> list:
    return list(done.workspace.measurements.get_current_measurement(name, feature))


# As the tertiary way: five nuclei in four cells; the cell without one goes, the crowded one is kept whole
kept = run_pair(CELLS, NUCLEI, module_with(several_nuclei=KEEP))
cells, nuclei, cytoplasm = (objects(kept, name) for name in ("Cells", "Nuclei", "Cytoplasm"))
assert cells.max() == 5, cells.max()
assert nuclei.max() == 6, nuclei.max()
for number in range(1, 6):
    inside = nuclei[cells == number]
    assert (inside == number).sum() > 200, "a cell and its nucleus have the same number"
assert not cytoplasm[nuclei > 0].any()
assert ((cytoplasm > 0) == ((cells > 0) & (nuclei == 0))).all()
assert measured(kept, "Cells", "Parent_Nuclei") == [1, 2, 3, 4, 5]
assert measured(kept, "Nuclei", "Children_Cells_Count") == [1, 1, 1, 1, 1, 0]
assert measured(kept, "Cytoplasm", "Parent_Cells") == [1, 2, 3, 4, 5]
assert measured(kept, "Cytoplasm", "Parent_Nuclei") == [1, 2, 3, 4, 5]
assert measured(kept, "Cells", "Children_Cytoplasm_Count") == [1] * 5
assert sorted(measured(kept, "Cells", "Flow_NucleiCount")) == [1, 1, 1, 1, 2]
for owner, feature, _ in kept.module.get_measurement_columns(None):
    assert feature in kept.workspace.measurements.get_feature_names(owner), (owner, feature)
    category, _, name = feature.partition("_")
    assert category in kept.module.get_categories(None, owner)
    assert name in kept.module.get_measurements(None, owner, category)
relations = {(r.object_name1, r.object_name2) for r in kept.workspace.measurements.get_relationship_groups()}
assert relations == {("Nuclei", "Cells"), ("Nuclei", "Cytoplasm"), ("Cells", "Cytoplasm")}

# The other rules
split = run_pair(CELLS, NUCLEI, module_with(several_nuclei=SPLIT))
assert objects(split, "Cells").max() == 6
assert ((objects(split, "Cells") > 0) == (cells > 0)).all(), "a split loses no pixel"
halves = numpy.bincount(objects(split, "Cells")[20:100, 240:350].ravel())
halves = halves[1:][halves[1:] > 0]
assert len(halves) == 2
assert halves.min() > 0.35 * halves.sum(), halves
strict = run_pair(CELLS, NUCLEI, module_with(several_nuclei=DISCARD))
assert objects(strict, "Cells").max() == objects(strict, "Nuclei").max() == 4
lonely = run_pair(CELLS, NUCLEI, module_with(several_nuclei=KEEP, without_nucleus=KEEP))
assert measured(lonely, "Cells", "Parent_Nuclei") == [1, 2, 3, 4, 5, 0]

# Nuclei of an earlier module keep their numbers, and are not made again
earlier = numpy.where(nuclei > 0, 7 - nuclei, 0)
existing = module_with(nuclei_from=NUCLEI_EXIST, nuclei_objects="Earlier", several_nuclei=KEEP)
seeded = run_pair(CELLS, NUCLEI, existing, Earlier=earlier)
assert (objects(seeded, "Earlier") == earlier).all()
assert sorted(measured(seeded, "Cells", "Parent_Earlier")) == measured(seeded, "Cells", "Parent_Earlier")
for number, parent in enumerate(measured(seeded, "Cells", "Parent_Earlier"), 1):
    assert (earlier[objects(seeded, "Cells") == number] == parent).sum() > 200
assert "Nuclei" not in seeded.workspace.object_set.get_object_names()

# A cell that is discarded at the border takes its nucleus with it
part = numpy.ones(CELLS.shape, bool)
part[:, 320:] = False
bordered = run_pair(Image(CELLS, mask=part), NUCLEI, module_with(several_nuclei=KEEP, discard_border=True))
assert objects(bordered, "Cells").max() == 3
assert not objects(bordered, "Nuclei")[:, 260:].any()

# No cells, no error
empty = run_pair(numpy.zeros((64, 64), numpy.uint8), numpy.zeros((64, 64), numpy.uint8), module_with())
assert objects(empty, "Cytoplasm").max() == 0
