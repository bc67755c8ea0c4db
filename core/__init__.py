"""The engine of cellspan: images -> network -> dynamics -> labels -> outlines.

The public names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellspan.core.dynamics import flows_to_labels as flows_to_labels
    from cellspan.core.errors import CellspanError as CellspanError
    from cellspan.core.flows import labels_to_flows as labels_to_flows
    from cellspan.core.metrics import average_precision as average_precision
    from cellspan.core.outlines import labels_to_rois as labels_to_rois
    from cellspan.core.parameters import Parameters as Parameters
    from cellspan.core.segmenter import Result as Result
    from cellspan.core.segmenter import Segmenter as Segmenter

_HOMES = {
    "CellspanError": "errors",
    "Parameters": "parameters",
    "Result": "segmenter",
    "Segmenter": "segmenter",
    "average_precision": "metrics",
    "flows_to_labels": "dynamics",
    "labels_to_flows": "flows",
    "labels_to_rois": "outlines",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Load a public name from the file that defines it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
