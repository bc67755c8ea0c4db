"""What the engine gets: several images, fixed limits, a mask; and what is undefined outside a mask does not matter."""

from __future__ import annotations

import logging
from typing import Any

import numpy
from _workspace import disks, message_of, new_module, prepare, run, run_pair
from cellprofiler_core.image import Image
from cellprofiler_core.object import Objects
from cellspan_plugin.layout import EVERYWHERE, LIMITS, MASK_IMAGE, MASK_OBJECTS, MAXIMUM, UNSCALED

IMAGE = disks()
LABELS = run(IMAGE).labels


def module_with(**values: Any) -> Any:
    module = new_module()
    module.automatic_diameter.value, module.diameter.value = False, 18.0
    for name, value in values.items():
        getattr(module, name).value = value
    return module


ALL = run(IMAGE, module_with()).labels
assert ALL.max() > 5


def overlap(found: numpy.ndarray, expected: numpy.ndarray) -> float:
    return float(((found > 0) & (expected > 0)).sum() / ((found > 0) | (expected > 0)).sum())


# NaN outside the mask is no error and changes nothing else; inside, it is one (check_errors.py)
mask = numpy.ones(IMAGE.shape, bool)
mask[:, 120:] = False
grey = IMAGE / numpy.float32(255)
holes = numpy.where(mask, grey, numpy.nan)
lowest = numpy.where(mask, grey, grey[mask].min())
found = run(Image(holes, mask=mask), module_with()).labels
assert found.max() > 3
assert (found == run(Image(lowest, mask=mask), module_with()).labels).all()
assert (run(Image(numpy.dstack([holes] * 3), mask=mask), module_with()).labels > 0).any()

# Half of the objects in each of two images
left, right = IMAGE.copy(), IMAGE.copy()
left[:, 100:], right[:, :100] = IMAGE.min(), IMAGE.min()
one = run(left, module_with()).labels
both = run_pair(left, right, module_with(second_image="Other", combine=MAXIMUM)).labels
assert one.max() < both.max()
assert overlap(both, ALL) > 0.9 > overlap(one, ALL)
prepared = prepare(left, module_with(second_image="Other", third_image="Third", combine=MAXIMUM))
for name in ("Other", "Third"):
    prepared.workspace.image_set.add(name, Image(right.astype(numpy.uint16)))
prepared.module.run(prepared.workspace)
assert overlap(prepared.labels, ALL) > 0.9
unequal = message_of(IMAGE, module_with(second_image="Other"), Other=IMAGE[:-1])
assert unequal == "Other and DNA differ in size; crop or resize both alike.", unequal

# Limits are intensities as CellProfiler shows them, whatever the file had
low, high = 20 / 255, 170 / 255
limited = module_with(scaling=LIMITS, limits=(low, high))
eight = run(Image(grey, scale=255), limited).labels
sixteen = run(Image((IMAGE * 257.0 / 65535).astype(numpy.float32), scale=65535), limited).labels
assert overlap(eight, ALL) > 0.9
assert overlap(sixteen, eight) > 0.98
assert run(Image(grey / 100, scale=255), limited).labels.max() == 0, "a dark image stays dark"
assert run(Image(grey / 100, scale=255), module_with()).labels.max() > 5

# Scaled by an earlier module, by tiles, sharpened, smoothed
scaled = numpy.clip((grey - low) / (high - low), 0, 1)
assert overlap(run(Image(scaled, scale=1), module_with(scaling=UNSCALED)).labels, ALL) > 0.9
for values in ({"tile_norm": 64}, {"sharpen": 8.0}, {"smooth": 1.0}, {"percentiles": (2.0, 99.5)}):
    assert overlap(run(IMAGE, module_with(**values)).labels, ALL) > 0.7, values
small = message_of(IMAGE, module_with(tile_norm=3))
assert "tile_norm" in small, small

# A mask image or objects of an earlier module say where to look, without cropping first
inside = numpy.zeros(IMAGE.shape, bool)
inside[10:110, 30:120] = True
masked = run_pair(IMAGE, Image(inside), module_with(where=MASK_IMAGE, mask_image="Other"))
assert 0 < masked.labels.max() < ALL.max()
assert not masked.labels[~inside].any()
assert overlap(masked.labels, numpy.where(inside, ALL, 0)) > 0.8
regions = numpy.zeros(IMAGE.shape, numpy.int32)
regions[10:110, 30:70], regions[10:110, 70:120] = 1, 2
objects = run_pair(IMAGE, IMAGE, module_with(where=MASK_OBJECTS, mask_objects="Tissue"), Tissue=regions)
assert (objects.labels == masked.labels).all()
inner = run_pair(IMAGE, Image(inside), module_with(where=MASK_IMAGE, mask_image="Other", discard_border=True))
assert not inner.labels[:, 30].any()
assert inner.labels.max() < masked.labels.max()

# Tissue that is missing in an image is no error: nothing is in it, and a note says why
logged = []
handler = logging.Handler()
handler.emit = lambda record: logged.append(record.getMessage())
logging.getLogger("identifyobjectsbyflow").addHandler(handler)
nowhere = run_pair(IMAGE, IMAGE, module_with(where=MASK_OBJECTS, mask_objects="Tissue"), Tissue=regions * 0)
assert logged == ["Note on Nuclei: Tissue is empty, so there was nowhere to look."], logged
assert nowhere.labels.max() == 0
notes = nowhere.workspace.measurements.get_current_image_measurement("Flow_Notes_Nuclei")
assert notes == "Tissue is empty, so there was nowhere to look.", notes
assert len(nowhere.measured("Flow_FlowError")) == 0
unequal = message_of(IMAGE, module_with(where=MASK_IMAGE, mask_image="Other"), Other=inside[:-1])
assert unequal == "Other and DNA differ in size; crop or resize both alike.", unequal
assert module_with().chosen("where") == EVERYWHERE
assert isinstance(masked.objects, Objects)
