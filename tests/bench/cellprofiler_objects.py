"""Runs the Identify modules of a pipeline on image files, with CellProfiler's own Python and without Java.

    PYTHON_OF_CELLPROFILER cellprofiler_objects.py PIPELINE OUT.npz Objects ImageName=FILE...

The label images (Y, X) of the named objects go into OUT.npz.
"""

from __future__ import annotations

import io
import re
import sys

import cellprofiler_core.preferences

cellprofiler_core.preferences.set_headless()

import numpy  # noqa: E402
import tifffile  # noqa: E402
from cellprofiler_core.image import Image, ImageSetList  # noqa: E402
from cellprofiler_core.measurement import Measurements  # noqa: E402
from cellprofiler_core.object import ObjectSet  # noqa: E402
from cellprofiler_core.pipeline import Pipeline  # noqa: E402
from cellprofiler_core.workspace import Workspace  # noqa: E402

WANTED = ("IdentifyPrimaryObjects", "IdentifySecondaryObjects")


def identify_modules(path: str) -> Pipeline:
    """The pipeline with nothing but its Identify modules."""
    text = open(path, encoding="utf-8").read()  # noqa: SIM115 - read at once
    head, *blocks = re.split(r"\n\n(?=\w+:\[)", text)
    chosen = [block for block in blocks if block.startswith(WANTED)]
    head = re.sub(r"ModuleCount:\d+", f"ModuleCount:{len(chosen)}", head)
    pipeline = Pipeline()
    pipeline.load(io.StringIO("\n\n".join([head, *chosen]) + "\n"))
    return pipeline


def main() -> None:
    path, out, wanted, *named = sys.argv[1:]
    images = ImageSetList().get_image_set(0)
    for entry in named:
        name, _, file = entry.partition("=")
        pixels = tifffile.imread(file)
        pixels = pixels if pixels.ndim == 2 else pixels.mean(axis=-1)  # grey stored as RGB
        images.add(name, Image(pixels / 255.0))
    pipeline, objects, measurements = identify_modules(path), ObjectSet(), Measurements()
    for module in pipeline.modules():
        module.show_window = False
        if module.x_name.value in images.names or hasattr(module, "image_name"):
            module.run(Workspace(pipeline, module, images, objects, measurements, images))
    numpy.savez_compressed(out, **{name: objects.get_objects(name).segmented for name in wanted.split(",")})


if __name__ == "__main__":
    main()
