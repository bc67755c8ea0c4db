"""Another name for IdentifyObjectsByFlow, because CellProfiler searches names only: `segment`, `cell`, `nuclei`.

What is added to a pipeline is IdentifyObjectsByFlow itself, so there is one module in pipeline files.
"""

from __future__ import annotations

from typing import Any

from identifyobjectsbyflow import IdentifyObjectsByFlow


class SegmentCellsAndNuclei(IdentifyObjectsByFlow):
    """See IdentifyObjectsByFlow."""

    module_name = "SegmentCellsAndNuclei"

    def __new__(cls) -> Any:
        """The module that this one is a name of."""
        return IdentifyObjectsByFlow()
