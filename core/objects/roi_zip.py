"""A RoiSet.zip: the file that ImageJ's ROI Manager opens."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

from roifile import ImagejRoi


def write_roi_zip(path: str | Path, rois: Sequence[ImagejRoi]) -> None:
    """Write outlines under their names."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for roi in rois:
            archive.writestr(f"{roi.name}.roi", roi.tobytes())
