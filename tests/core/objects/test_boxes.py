"""Boxes and areas agree with scipy's; absent labels have an empty box."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from cellspan.core.objects.boxes import label_boxes

pytestmark = pytest.mark.quick
images = arrays(np.int32, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 4))


@given(images)
def test_boxes_and_areas_agree_with_scipy(labels: np.ndarray) -> None:
    boxes, areas = label_boxes(labels, 5)
    assert areas.tolist() == np.bincount(labels.ravel(), minlength=6)[1:].tolist()
    found = ndimage.find_objects(labels, 5)
    for (y0, x0, y1, x1), box, area in zip(boxes.tolist(), found, areas, strict=True):
        if box is None:
            assert area == 0
            assert y0 >= y1
            assert x0 >= x1
        else:
            assert (slice(y0, y1), slice(x0, x1)) == box
