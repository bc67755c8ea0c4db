"""Volumes a few slices at a time: nothing is left out, and objects across slabs are whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cellspan.core.objects import slabs
from cellspan.core.objects.pieces import volume_boxes

pytestmark = pytest.mark.quick
volumes = arrays(
    np.uint16, st.tuples(st.integers(1, 7), st.integers(1, 4), st.integers(1, 4)), elements=st.integers(0, 5)
)


@given(volumes, st.integers(1, 40))
def test_slabs_are_the_volume(volume: np.ndarray, voxels: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slabs, "VOXELS", voxels)
        found = list(slabs.label_slabs(volume))
    assert [z for z, _ in found] == np.cumsum([0, *(len(slab) for _, slab in found[:-1])]).tolist()
    np.testing.assert_array_equal(np.concatenate([slab for _, slab in found]), volume)
    thickness = max(1, voxels // volume[0].size)
    assert all(len(slab) <= thickness for _, slab in found)


@given(volumes, st.integers(1, 40))
def test_boxes_across_slabs(volume: np.ndarray, voxels: int) -> None:
    boxes, sizes = volume_boxes(volume.astype(np.int32), int(volume.max()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slabs, "VOXELS", voxels)
        found, found_sizes = slabs.object_boxes(volume)
    np.testing.assert_array_equal(found_sizes, sizes)
    np.testing.assert_array_equal(found[sizes > 0], boxes[sizes > 0])
