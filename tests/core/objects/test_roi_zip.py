"""Outlines in a RoiSet.zip: as they were, under their names."""

from pathlib import Path

import numpy as np
import pytest
import roifile

from cellspan.core.objects.outlines import labels_to_rois, rois_to_labels
from cellspan.core.objects.roi_zip import write_roi_zip

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("compress", [True, False])
def test_a_zip_comes_back_as_it_was(tmp_path: Path, disks: np.ndarray, compress: bool) -> None:
    disks[30, 30] = 0  # a hole makes a composite ROI
    write_roi_zip(tmp_path / "set.zip", labels_to_rois(disks), compress)
    assert np.array_equal(rois_to_labels(roifile.roiread(tmp_path / "set.zip"), disks.shape), disks)


def test_names_and_their_order_are_kept(tmp_path: Path, disks: np.ndarray) -> None:
    rois = labels_to_rois(disks)
    for roi, name in zip(rois, ("b", "a", "c"), strict=True):
        roi.name = name
    write_roi_zip(tmp_path / "set.zip", rois)
    assert [roi.name for roi in roifile.roiread(tmp_path / "set.zip")] == ["b", "a", "c"]
