"""An image is restored first: the restored image is there for later modules, in the window, and changes the objects.

The second argument is Cellpose's folder with denoise_cyto3, denoise_nuclei and upsample_cyto3.
"""

from __future__ import annotations

import os
import pickle
import sys

os.environ["CELLPOSE_LOCAL_MODELS_PATH"] = sys.argv[2]

import numpy
from _figure import Figure
from _workspace import disks, message_of, new_module, run, run_pair
from cellprofiler_core.image import Image
from cellspan_plugin.layout import MASK_OBJECTS


def restoring(**values: object) -> object:
    module = new_module()
    module.restore.value = module.save_restored.value = True
    module.automatic_diameter.value, module.diameter.value = False, 18.0
    for name, value in values.items():
        getattr(module, name).value = value
    return module


def picture(done: object, name: str = "Restored") -> object:
    return done.workspace.image_set.get_image(name)


plain = run(disks(), restoring(restore=False))
assert "Restored" not in plain.workspace.image_set.names
done = run(disks(), restoring(restored_name="Clean"), show=True)
restored = picture(done, "Clean")
assert restored.pixel_data.shape == disks().shape
assert restored.pixel_data.dtype.kind == "f"
assert numpy.ptp(restored.pixel_data) > 0
assert not numpy.array_equal(done.labels, plain.labels), "the network saw another image"

# The window shows it between the image and the objects
pickle.loads(pickle.dumps(vars(done.workspace.display_data)))
figure = Figure()
done.module.display(done.workspace, figure)
figure.save("display_restored.png")
assert figure.shape == (3, 2)
assert [figure.shown[place, 0][0].split(",")[0] for place in range(3)] == ["DNA", "Restored", "Nuclei"]
assert figure.shown[1, 0][1] == {"sharexy": "axes"}

# It is fetched only if somebody wants it
quiet = run(disks(), restoring(save_restored=False))
assert "Restored" not in quiet.workspace.image_set.names
assert numpy.array_equal(quiet.labels, done.labels)

# Where coarse pixels are made up for, the image is larger; the mask of the original does not fit it
masked = Image(disks() / numpy.float32(255), mask=numpy.indices(disks().shape)[0] > 20)
larger = run(masked, restoring(restoring_model="upsample_cyto3", diameter=15.0), show=True)
assert picture(larger).pixel_data.shape == (320, 400)
assert picture(larger).mask.all()
assert larger.labels.shape == disks().shape
figure = Figure()
larger.module.display(larger.workspace, figure)
assert figure.shown[1, 0][1] == {}, "it cannot be zoomed together with an image of another size"

# Cells and nuclei together: each channel by its model, and four places in the window
both = restoring(model="Cells", together=True, nuclei_image="Other", y_name="Cells", diameter=30.0)
pair = run_pair(disks(), disks()[::-1], both, show=True)
assert picture(pair).pixel_data.shape == disks().shape
figure = Figure()
pair.module.display(pair.workspace, figure)
assert figure.shape == (4, 2)
assert [figure.shown[place, 0][0].split(",")[0] for place in range(4)] == ["DNA", "Restored", "Other", "Cells"]

# Nowhere to look: an empty image of the same size
nowhere = restoring(where=MASK_OBJECTS, mask_objects="Tissue")
empty = run_pair(disks(), disks(), nowhere, show=True, Tissue=numpy.zeros(disks().shape, numpy.int32))
assert picture(empty).pixel_data.shape == disks().shape

# A volume is restored slice by slice
stack = Image(numpy.stack([disks()] * 3) / numpy.float32(255), dimensions=3, spacing=(2.0, 1.0, 1.0))
volume = run(stack, restoring(), show=True)
assert picture(volume).pixel_data.shape == (3, *disks().shape)
assert picture(volume).dimensions == 3

# A model that is not here, and one that restores nothing
assert "cellspan models fetch deblur_cyto3" in message_of(disks(), restoring(restoring_model="deblur_cyto3"))
assert "restores no images" in message_of(disks(), restoring(restoring_model="nuclei"))
