"""Test mode follows the settings: the network runs only if it has to, and the objects are those of a fresh run."""

from __future__ import annotations

from typing import Any

import numpy
from _workspace import disks, new_module, prepare, run
from cellprofiler_core.image import Image
from cellspan_plugin import client
from cellspan_plugin.layout import MASK_IMAGE

asked = []  # what the module asked of the engine, in order


REGION = numpy.zeros((160, 200), bool)
REGION[10:110, 30:120] = True


def watched(name: str) -> None:
    method = getattr(client.Engine, name)

    def ask(self: Any, *arguments: Any, **more: Any) -> Any:
        asked.append(name)
        return method(self, *arguments, **more)

    setattr(client.Engine, name, ask)


watched("segment")
watched("again")


def tried(image: Any, **values: Any) -> tuple:
    """The labels in test mode, and what was asked for them; a run without test mode gives the same objects."""
    modules = []
    for test_mode in (True, False):
        module = new_module()
        for name, value in values.items():
            getattr(module, name).value = value
        prepared = prepare(image, module)
        prepared.workspace.image_set.add("Region", Image(REGION))
        prepared.workspace.pipeline.test_mode = test_mode
        del asked[:]
        module.run(prepared.workspace)
        modules.append((prepared, list(asked)))
    (tested, questions), (fresh, afresh) = modules
    assert afresh == ["segment"]
    numpy.testing.assert_array_equal(tested.labels, fresh.labels)
    for feature in ("Flow_FlowError", "Flow_MeanProbability"):
        numpy.testing.assert_allclose(tested.measured(feature), fresh.measured(feature), rtol=1e-5)
    return tested, questions


IMAGE = disks()
first, questions = tried(IMAGE)
assert questions == ["segment"]
assert first.labels.max() > 5

# What the module does itself needs no engine
for values in ({"discard_border": True}, {"min_size": 200}, {"discard_by_diameter": True}):
    _, questions = tried(IMAGE, **values)
    assert questions == [], values

# Thresholds act on the flows that the engine keeps
stricter, questions = tried(IMAGE, cellprob_threshold=4.0)
assert questions == ["again"]
assert (stricter.labels > 0).sum() < (first.labels > 0).sum()
for values in ({"flow_threshold": 0.05}, {"fill_holes": False}, {"iterations": 40}, {"cellprob_threshold": -3.0}):
    _, questions = tried(IMAGE, **values)
    assert questions == ["again"], values
images, questions = tried(IMAGE, save_flows=True, save_probability=True)
assert questions == ["again"], "more is wanted than there was"
assert images.workspace.image_set.get_image("Flows").pixel_data.shape == (*IMAGE.shape, 3)

# The engine remembers where to look
masked, questions = tried(IMAGE, where=MASK_IMAGE, mask_image="Region")
assert questions == ["segment"]
assert 0 < masked.labels.max() < first.labels.max()
masked, questions = tried(IMAGE, where=MASK_IMAGE, mask_image="Region", cellprob_threshold=1.0)
assert questions == ["again"]
assert not masked.labels[~REGION].any()

# Whatever the network sees or is takes a run of the network
for image, values in (
    (IMAGE, {"invert": True}),
    (IMAGE, {"automatic_diameter": False, "diameter": 25.0}),
    (IMAGE[:, ::-1], {}),
    (IMAGE, {"model": "Cells"}),
):
    _, questions = tried(image, **values)
    assert questions == ["segment"], values

# An engine that has forgotten the image gets it again
tried(IMAGE)
client.running_service().json("POST", "/v1/stop", b"")
_, questions = tried(IMAGE, cellprob_threshold=1.0)
assert questions == ["again", "segment"]

# Volumes are not kept in the engine, but objects may be filtered again
stack = Image(numpy.stack([IMAGE[:100, :100]] * 3), dimensions=3)
_, questions = tried(stack, method_3d="Slice by slice, joined by overlap")
assert questions == ["segment"]
_, questions = tried(stack, method_3d="Slice by slice, joined by overlap", min_size=200)
assert questions == []
_, questions = tried(stack, method_3d="Slice by slice, joined by overlap", cellprob_threshold=1.0)
assert questions == ["segment"]

assert run(IMAGE).labels.max() > 5
