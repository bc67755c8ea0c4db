"""The ROIs of a volume in the real ImageJ."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.end_to_end


def test_rois_of_volumes_are_on_their_slices(in_imagej) -> None:
    in_imagej("check_volume_rois.py")
