"""Objects and measurements: masks, borders, small objects, kinds of images."""

from __future__ import annotations

import numpy
from _workspace import disks, new_module, run
from cellprofiler_core.image import Image

IMAGE = disks()
whole = run(IMAGE)
labels = whole.labels
assert 9 <= labels.max() <= 11, labels.max()
assert labels[30, :3].any(), "the nucleus at the border was found"
assert labels[82, 80] != labels[82, 97], "the touching nuclei are two"
assert whole.objects.parent_image is whole.image
assert whole.module.is_object_identification_module()

# Measurements are those that the module announces
count = labels.max()
assert whole.workspace.measurements.get_current_image_measurement("Count_Nuclei") == count
assert list(whole.measured("Number_Object_Number")) == list(range(1, count + 1))
rows, columns = numpy.nonzero(labels == 1)
assert abs(whole.measured("Location_Center_X")[0] - columns.mean()) < 1e-6
assert abs(whole.measured("Location_Center_Y")[0] - rows.mean()) < 1e-6
for owner, feature, _ in whole.module.get_measurement_columns(None):
    assert feature in whole.workspace.measurements.get_feature_names(owner), feature
    category, _, name = feature.partition("_")
    assert category in whole.module.get_categories(None, owner)
    assert name in whole.module.get_measurements(None, owner, category)
image_measured = whole.workspace.measurements.get_current_image_measurement
assert 10 < image_measured("Flow_Diameter_Nuclei") < 30
assert image_measured("Flow_Model_Nuclei") == "nuclei"
assert len(image_measured("Flow_ModelSHA256_Nuclei")) == 64
assert image_measured("Flow_Device_Nuclei") == "cpu"
assert image_measured("Flow_Seconds_Nuclei") > 0
assert len(whole.measured("Flow_FlowError")) == count
assert (whole.measured("Flow_FlowError") <= 0.4).all()
assert (whole.measured("Flow_MeanProbability") > 0).all()

# Count, places and numbers are to the last bit those that CellProfiler's own function writes
FEATURES = ("Location_Center_X", "Location_Center_Y", "Location_Center_Z", "Number_Object_Number")
ours = {feature: whole.measured(feature) for feature in FEATURES}
whole.module.add_measurements(whole.workspace, "Nuclei")
for feature, values in ours.items():
    assert numpy.array_equal(values, whole.measured(feature)), feature
assert image_measured("Count_Nuclei") == count

# A mask cuts objects off and hides the rest; the image itself stays the same
mask = numpy.ones(IMAGE.shape, bool)
mask[:, 97:] = False
masked = run(Image(IMAGE, mask=mask))
assert not masked.labels[~mask].any()
assert ((masked.labels > 0) == ((labels > 0) & mask)).all()
assert (numpy.unique(masked.labels) == numpy.arange(masked.labels.max() + 1)).all()
assert (masked.objects.unedited_segmented == numpy.where(mask, labels, 0)).all()

# Objects at the border of the image, or of its mask, go if asked; later modules still know them
module = new_module()
module.discard_border.value = True
inner = run(IMAGE, module)
frame = numpy.ones(IMAGE.shape, bool)
frame[1:-1, 1:-1] = False
assert not inner.labels[frame].any()
assert inner.labels.max() == count - 1
assert (inner.objects.unedited_segmented == labels).all()
assert (inner.objects.small_removed_segmented == labels).all()
inner_masked = run(Image(IMAGE, mask=mask), module)
assert not inner_masked.labels[:, 96].any()
assert 0 < inner_masked.labels.max() < masked.labels.max()

# Small objects go
areas = numpy.bincount(labels.ravel())
module = new_module()
module.min_size.value = int(numpy.median(areas[1:]))
large = run(IMAGE, module)
remain = areas[labels] >= module.min_size.value
remain[labels == 0] = False
assert 0 < large.labels.max() < count
assert ((large.labels > 0) == remain).all()
assert (large.objects.unedited_segmented == labels).all()
assert (large.objects.small_removed_segmented == numpy.where(remain, labels, 0)).all()

# So do those outside a range of diameters; small ones only are hidden from later modules
module = new_module()
module.discard_by_diameter.value = True
across = 2 * numpy.sqrt(areas[1:] / numpy.pi)
middle = float(numpy.median(across))
module.diameter_range.value = (middle - 0.01, 1000.0)
assert run(IMAGE, module).labels.max() == (across >= middle - 0.01).sum()
module.diameter_range.value = (1.0, middle + 0.01)
without_large = run(IMAGE, module)
assert without_large.labels.max() == (across <= middle + 0.01).sum()
assert (without_large.objects.small_removed_segmented == labels).all()

# Dark objects on a bright background, if told so
module = new_module()
module.invert.value = True
assert abs(int(run(255 - IMAGE, module).labels.max()) - int(count)) <= 1

# The network's outputs as images
module = new_module()
module.save_probability.value = module.save_flows.value = True
saved = run(IMAGE, module)
probability = saved.workspace.image_set.get_image("Probability").pixel_data
assert probability.shape == IMAGE.shape
assert probability[labels > 0].mean() > 0.8
assert probability[labels == 0].mean() < 0.2
colours = saved.workspace.image_set.get_image("Flows").pixel_data
assert colours.shape == (*IMAGE.shape, 3)
assert 0 <= colours.min() < colours.max() <= 1
left, right = colours[30, 37], colours[30, 53]  # of the nucleus at (30, 45), where the flows are opposite
assert abs(left - right).max() > 0.5

# The same picture in 16 bits, with a margin for rounding in colour and in floats
assert (run(IMAGE.astype(numpy.uint16)).labels == labels).all()
for other in (numpy.dstack([IMAGE] * 3), IMAGE / 300.0, IMAGE.astype(float) * 3):
    assert abs(int(run(other).labels.max()) - int(count)) <= 1

# An empty picture has no objects, and that is no error
empty = run(numpy.zeros((64, 64), numpy.uint8))
assert empty.labels.max() == 0
assert empty.workspace.measurements.get_current_image_measurement("Count_Nuclei") == 0
