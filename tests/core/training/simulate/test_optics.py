"""From light to grey values: what the field of view does to an image."""

import numpy as np
import pytest

from cellspan.core.training.simulate.optics import field_stop

pytestmark = pytest.mark.quick


def test_where_the_field_of_view_ends_all_is_of_one_grey() -> None:
    hidden = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        light = rng.uniform(0.3, 0.7, (120, 130)).astype(np.float32)
        seen = field_stop(light, 0.0, rng)
        hidden.append(float(np.mean(seen < 0.01)))
        assert np.allclose(seen[60, 65], light[60, 65], atol=1e-3), "the middle of the field stays"
    assert np.mean(np.array(hidden) > 0) > 0.4, "often a corner or a side"
    assert max(hidden) < 0.5
