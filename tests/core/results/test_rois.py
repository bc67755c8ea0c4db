"""Outlines of planes and of volumes."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.core.results.rois import outlines_of

pytestmark = pytest.mark.quick


def test_one_for_each_object_or_for_each_object_and_slice() -> None:
    labels = np.zeros((3, 20, 30), np.int32)
    labels[:2, 2:8, 2:8] = 1
    labels[1, 10:15, 10:15] = 2
    assert len(outlines_of(labels[1])) == 2
    assert [roi.position for roi in outlines_of(labels)] == [1, 2, 2]
