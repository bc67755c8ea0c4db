"""Restoring an image first: which model goes with nuclei, and the restored image for later modules."""

from __future__ import annotations

import re

import numpy as np

# the names of Cellpose's models: what they take away, by which measure they learnt it, and in which images
OFFICIAL = re.compile(r"(denoise|deblur|upsample|oneclick|aniso)(_(per|seg|rec))?_(cyto3|cyto2|nuclei)")


def for_nuclei(model: str) -> str:
    """The partner of a model of Cellpose for images of nuclei; a model of one's own serves for both."""
    found = OFFICIAL.fullmatch(model.rpartition("/")[2] if model.startswith("cellpose/") else model)
    return f"{found[1]}_nuclei" if found else model


def restored_plane(channels: np.ndarray) -> np.ndarray:
    """The engine's restored channels (C, Y, X) or (C, Z, Y, X) -> the first one, which is the input image."""
    return np.ascontiguousarray(channels[0], np.float32)
