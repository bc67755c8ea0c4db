"""How far the flows of a finished volume are from those that its objects imply."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellspan.core.dynamics.flows import flow_errors
from cellspan.core.objects.labels import Labels, areas
from cellspan.core.pictures.images import Floats


def volume_flow_errors(labels: Labels, flows: Floats, anisotropy: float) -> NDArray[np.float64]:
    """The flow error of each of the labels 1..n of (Z, Y, X).

    Flows (3, Z, Y, X) are compared in 3D, on slices repeated until voxels are cubic; (2, Z, Y, X), of slices that were
    joined, slice by slice, and the mean counts.
    """
    if len(flows) == 3:
        depth = len(labels)
        near = np.minimum(((np.arange(max(1, round(depth * anisotropy))) + 0.5) / anisotropy).astype(int), depth - 1)
        return flow_errors(np.ascontiguousarray(labels[near]), np.ascontiguousarray(flows[:, near]))
    count = int(labels.max(initial=0))
    sums = np.zeros(count)
    for z, plane in enumerate(labels):
        here = np.unique(plane[plane > 0])
        numbers = np.searchsorted(here, plane) + 1
        dense = np.where(plane > 0, numbers, 0).astype(np.int32)
        sums[here - 1] += flow_errors(dense, np.ascontiguousarray(flows[:, z])) * areas(dense)
    return np.asarray(sums / np.maximum(areas(labels), 1))
