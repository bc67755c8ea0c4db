"""The engine of cellspan: images -> network -> dynamics -> labels -> outlines.

The public names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellspan.core.machine.public_names import loader

if TYPE_CHECKING:
    from cellspan.core.dynamics.flows import labels_to_flows as labels_to_flows
    from cellspan.core.dynamics.labelling import flows_to_labels as flows_to_labels
    from cellspan.core.errors import CellspanError as CellspanError
    from cellspan.core.objects.metrics import average_precision as average_precision
    from cellspan.core.objects.outlines import labels_to_rois as labels_to_rois
    from cellspan.core.parameters import Parameters as Parameters
    from cellspan.core.planes.result import Result as Result
    from cellspan.core.results.showing import show as show
    from cellspan.core.segmenter import Segmenter as Segmenter

_HOMES = {
    "CellspanError": "errors",
    "Parameters": "parameters",
    "Result": "planes.result",
    "Segmenter": "segmenter",
    "average_precision": "objects.metrics",
    "flows_to_labels": "dynamics.labelling",
    "labels_to_flows": "dynamics.flows",
    "labels_to_rois": "objects.outlines",
    "show": "results.showing",
}
__all__ = sorted(_HOMES)
__getattr__ = loader(__name__, _HOMES)
