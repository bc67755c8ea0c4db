"""Cellpose's restoring models, by name: which are offered, and which go with nuclei.

CellProfiler's plugin has a copy, so nothing is imported.
"""

from __future__ import annotations

import re

# their names: what they take away, by which measure they learnt it, and in which images
RESTORING = re.compile(r"(denoise|deblur|upsample|oneclick|aniso)(_(per|seg|rec))?_(cyto3|cyto2|nuclei)")
# those that help most; lists in dialogs begin with them, others are entered by name
OFFERED = (
    *("denoise_cyto3", "deblur_cyto3", "upsample_cyto3", "oneclick_cyto3"),
    *("denoise_nuclei", "deblur_nuclei", "upsample_nuclei", "oneclick_nuclei"),
)


def partner_for_nuclei(name: str) -> str:
    """The model that restores images of nuclei as this one does those of cells; one of one's own serves for both."""
    found = RESTORING.fullmatch(name[len("cellpose/") :] if name.startswith("cellpose/") else name)
    return f"{found[1]}_nuclei" if found else name
