"""3D images: objects, measurements, masks, borders, sizes, further images, pairs and the slice that is shown."""

from __future__ import annotations

import pickle
from typing import Any

import numpy
from _figure import Figure
from _workspace import new_module, run, run_pair
from cellprofiler_core.image import Image
from cellspan_plugin import engine
from cellspan_plugin.layout import NUCLEI_EXIST, SLICES

SPACING = (2.0, 1.0, 1.0)  # along Z, X, Y, as NamesAndTypes gives them
SHAPE = (20, 90, 110)
CENTRES = ((10, 24, 24), (9, 24, 80), (11, 65, 25), (10, 65, 50), (1, 65, 90))  # the last is cut by the first slice


def picture(centres: tuple, radius: float, grey: float) -> numpy.ndarray:
    """An 8-bit stack of balls, in slices that are two pixels apart."""
    place = numpy.indices(SHAPE).astype(float)
    stack = numpy.full(SHAPE, 20.0)
    for centre in centres:
        z, y, x = place - numpy.reshape(centre, (3, 1, 1, 1))
        distance = numpy.sqrt((SPACING[0] * z) ** 2 + y**2 + x**2)
        stack += grey / (1 + numpy.exp((distance - radius) / 0.8))
    return numpy.clip(stack + numpy.random.RandomState(0).normal(0, 3, SHAPE), 0, 255).astype(numpy.uint8)


class Remembering:
    """The engine, asked once for the same: most settings of the module change what is made of its answer."""

    def __init__(self) -> None:
        self.engine = engine.connect(engine.engine_command())
        self.answers = {}

    def segment(self, pixels: numpy.ndarray, parameters: dict, listener: Any, also: Any) -> Any:
        question = (pixels.tobytes(), pixels.dtype.str, pixels.shape, str(sorted(parameters.items())))
        if question not in self.answers:
            everything = ("objects", "probability", "flows")
            self.answers[question] = self.engine.segment(pixels, parameters, listener, everything)
        return self.answers[question]


remembering = Remembering()
engine.connect = lambda command, interactive: remembering


def stack_of(pixels: numpy.ndarray, **more: Any) -> Any:
    return Image(pixels, dimensions=3, spacing=SPACING, **more)


def module_with(**values: Any) -> Any:
    module = new_module()
    module.automatic_diameter.value = False
    module.diameter.value = 24.0
    for name, value in values.items():
        getattr(module, name).value = value
    return module


STACK = picture(CENTRES, 12, 150)
whole = run(stack_of(STACK), module_with(save_probability=True, save_flows=True), show=True)
labels = whole.labels
assert labels.shape == SHAPE
assert labels.max() == 5, labels.max()
assert len({int(labels[centre]) for centre in CENTRES}) == 5, "each ball is one object, also the two that touch"
assert whole.objects.volumetric
assert whole.objects.parent_image is whole.image

# Count, places and numbers are to the last bit those that CellProfiler's own function writes, and the places are right
FEATURES = ("Location_Center_X", "Location_Center_Y", "Location_Center_Z", "Number_Object_Number")
ours = {feature: whole.measured(feature) for feature in FEATURES}
for centre in CENTRES[:4]:
    number = int(labels[centre]) - 1
    found = [ours[f"Location_Center_{axis}"][number] for axis in "ZYX"]
    assert numpy.abs(numpy.subtract(found, centre)).max() < 1.5, (found, centre)
whole.module.add_measurements(whole.workspace, "Nuclei")
for feature, values in ours.items():
    assert numpy.allclose(values, whole.measured(feature), rtol=1e-12), feature
for owner, feature, _ in whole.module.get_measurement_columns(None):
    assert feature in whole.workspace.measurements.get_feature_names(owner), feature
assert (whole.measured("Flow_MeanProbability") > 0).all()
assert (whole.measured("Flow_FlowError") <= 0.4).all()
assert whole.workspace.measurements.get_current_image_measurement("Flow_Diameter_Nuclei") == 24

# The network's outputs are 3D images
probability, flows = (whole.workspace.image_set.get_image(name) for name in ("Probability", "Flows"))
assert probability.volumetric
assert probability.pixel_data.shape == SHAPE
assert probability.pixel_data[labels > 0].mean() > 0.8 > 0.2 > probability.pixel_data[labels == 0].mean()
assert tuple(probability.spacing) == SPACING
assert flows.volumetric
assert flows.multichannel
assert flows.pixel_data.shape == (*SHAPE, 3)
left, right = flows.pixel_data[10, 24, 16], flows.pixel_data[10, 24, 32]
assert abs(left - right).max() > 0.5, "opposite flows have other colours"

# The window shows the slice with the most objects, and says which; the table is of the whole stack
data = whole.workspace.display_data
pickle.loads(pickle.dumps(vars(data)))
figure = Figure()
whole.module.display(whole.workspace, figure)
figure.save("display_volume.png")
shown = int(figure.shown[0, 0][0].partition(", slice ")[2].partition(" of 20")[0]) - 1
numbers = [len(numpy.unique(plane[plane > 0])) for plane in labels]
assert numbers[shown] == max(numbers)
assert (data.labels[0] == labels[shown]).all()
table = figure.shown[1, 1]
assert table["Objects"] == "5"
low, median, high = (float(part) for part in table["Diameter 10, 50, 90 %"].split(", "))
assert 20 < median < 28, median
assert "Volume covered" in table

# Borders are the six faces; sizes are voxels, diameters those of balls in pixels along X and Y
inner = run(stack_of(STACK), module_with(discard_border=True))
assert inner.labels.max() == 4
assert not inner.labels[0].any()
assert (inner.objects.unedited_segmented == labels).all()
smallest = int(numpy.bincount(labels.ravel())[1:].min())
assert run(stack_of(STACK), module_with(min_size=smallest + 1)).labels.max() == 4, "the one that is cut is the smallest"
sized = module_with(discard_by_diameter=True)
cut = int(labels[CENTRES[4]])
diameters = 2 * numpy.cbrt(0.75 * 2 * numpy.bincount(labels.ravel())[1:] / numpy.pi)
assert diameters.argmin() == cut - 1, diameters
sized.diameter_range.value = (diameters.min() + 0.01, 40.0)
assert run(stack_of(STACK), sized).labels.max() == 4
sized.diameter_range.value = (1.0, diameters.min() + 0.01)
assert run(stack_of(STACK), sized).labels.max() == 1
mask = numpy.ones(SHAPE, bool)
mask[:, :, 76:] = False
masked = run(stack_of(STACK, mask=mask), module_with(discard_border=True))
assert not masked.labels[~mask].any()
assert masked.labels.max() == 3

# The distance of the slices may be entered as well; slices may be joined instead
entered = run(Image(STACK, dimensions=3), module_with(anisotropy=2.0))
assert (entered.labels == labels).all()
assert len(remembering.answers) == 1, "so far the same was asked"
joined = run(stack_of(STACK), module_with(method_3d=SLICES, stitch_threshold=0.3, save_flows=True))
assert joined.labels.max() == 5, joined.labels.max()
assert not (joined.labels == labels).all()
assert joined.workspace.image_set.get_image("Flows").pixel_data.shape == (*SHAPE, 3)

# A stack of one slice, and one without anything
single = run(stack_of(STACK[10:11]), module_with(method_3d=SLICES))
assert single.labels.max() == 4, single.labels.max()
assert set(single.measured("Location_Center_Z")) == {0}
empty = run(stack_of(numpy.zeros((4, 40, 40), numpy.uint8)), module_with(method_3d=SLICES), show=True)
assert empty.labels.max() == 0
empty.module.display(empty.workspace, Figure())

# Cells and nuclei: two cells, the second with two nuclei of an earlier module, one upon the other in Z
CELLS = picture(((10, 45, 25), (10, 45, 75)), 18, 120)
NUCLEI = picture(((10, 45, 25), (10, 45, 75)), 10, 150)
together = {"model": "Cells", "together": True, "nuclei_image": "Other", "y_name": "Cells", "diameter": 36.0}
pairs = run_pair(stack_of(CELLS), stack_of(NUCLEI), module_with(nuclei_diameter=24.0, **together), show=True)
cells, nuclei, cytoplasm = (
    pairs.workspace.object_set.get_objects(name).segmented for name in ("Cells", "Nuclei", "Cytoplasm")
)
assert cells.max() == nuclei.max() == cytoplasm.max() == 2
assert cells[10, 45, 25] == nuclei[10, 45, 25] != cells[10, 45, 75] == nuclei[10, 45, 75]
assert ((cytoplasm > 0) == ((cells > 0) & (nuclei == 0))).all()
pairs.module.display(pairs.workspace, Figure())

earlier = numpy.zeros(SHAPE, numpy.int32)
earlier[9:12, 42:48, 22:28] = 3
earlier[6:8, 42:48, 72:78], earlier[13:15, 42:48, 72:78] = 1, 2
existing = {**together, "nuclei_from": NUCLEI_EXIST, "nuclei_objects": "Earlier"}
split = run_pair(stack_of(CELLS), stack_of(NUCLEI), module_with(**existing), Earlier=earlier)
split_cells = split.workspace.object_set.get_objects("Cells")
halves = split_cells.segmented
assert halves.max() == 3
assert ((halves > 0) == (split_cells.unedited_segmented > 0)).all(), "a split loses no voxel"
measured = split.workspace.measurements.get_current_measurement
assert sorted(measured("Cells", "Parent_Earlier")) == [1, 2, 3]
low, high = (halves == 1 + list(measured("Cells", "Parent_Earlier")).index(number) for number in (1, 2))
assert low[:11].sum() > 0.95 * low.sum() > 500, "below the middle"
assert high[10:].sum() > 0.95 * high.sum() > 500, "above the middle"
