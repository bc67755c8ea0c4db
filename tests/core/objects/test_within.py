"""Labels within a mask: none outside, and which touch its border."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellspan.core.objects.within import cut_to, on_border

pytestmark = pytest.mark.quick
MASKS = st.tuples(st.integers(0, 2**32), st.sampled_from([(7, 9), (4, 5, 6)])).map(
    lambda drawn: np.random.default_rng(drawn[0]).random(drawn[1]) < 0.7
)


@given(MASKS)
def test_nothing_lies_outside_and_all_stays_inside(mask: np.ndarray) -> None:
    labels = np.random.default_rng(0).integers(0, 5, mask.shape).astype(np.int32)
    cut = cut_to(labels, mask)
    assert cut.dtype == np.int32
    assert not cut[~mask].any()
    np.testing.assert_array_equal(cut[mask], labels[mask])
    assert cut_to(cut, mask) is cut


def test_objects_at_the_border() -> None:
    mask = np.zeros((8, 12), bool)
    mask[:, :6] = True
    labels = np.zeros((8, 12), np.int32)
    labels[1:3, 4:6], labels[4:6, 3:5], labels[0:2, 0:2] = 1, 2, 3  # 3 touches the border of the image alone
    assert on_border(labels, mask, 4).tolist() == [True, False, False, False]
