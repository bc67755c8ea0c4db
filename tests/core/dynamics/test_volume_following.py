"""Following flows through volumes: as far as told, along all axes, and never out of the volume or into nothing."""

import numpy as np
import pytest

from cellspan.core.dynamics.following import follow as follow_plane
from cellspan.core.dynamics.volume_following import follow, foreground_of

pytestmark = pytest.mark.quick
SHAPE = (4, 5, 30)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_steps_are_taken_in_full_and_end_at_the_border(axis: int, steps: int) -> None:
    flow = np.zeros((3, *SHAPE), np.float32)
    flow[axis] = 1
    arrivals = np.stack(np.unravel_index(follow(flow, np.ones(SHAPE, np.float32), 0.0, steps), SHAPE))
    expected = np.indices(SHAPE)
    expected[axis] = np.minimum(expected[axis] + steps, SHAPE[axis] - 1)
    np.testing.assert_array_equal(arrivals, expected)


def test_the_background_goes_nowhere_and_lets_nothing_in() -> None:
    flow = np.zeros((3, *SHAPE), np.float32)
    flow[2] = 1
    logits = np.ones(SHAPE, np.float32)
    logits[:, :, 10:] = -1
    arrivals = follow(flow, logits, 0.0, 50)
    assert (arrivals[:, :, 10:] == -1).all()
    ends = arrivals[:, :, :10] % SHAPE[2]
    assert ends.min() >= 9, "they stop where the background begins"
    assert ends.max() <= 10


def test_voxels_without_a_direction_are_background() -> None:
    flow = np.zeros((3, *SHAPE), np.float32)
    flow[1, 0, 0, 0], flow[2, 1, 1, 1] = np.nan, np.inf
    logits = np.ones(SHAPE, np.float32)
    logits[2, 2, 2] = np.nan
    foreground = foreground_of(flow, logits, 0.0)
    assert sorted(map(tuple, np.argwhere(~foreground))) == [(0, 0, 0), (1, 1, 1), (2, 2, 2)]


def test_one_slice_is_followed_as_a_plane() -> None:
    random = np.random.default_rng(5)
    flow = random.normal(0, 0.7, (2, 20, 22)).astype(np.float32)
    logits = random.normal(1, 1, (20, 22)).astype(np.float32)
    whole = np.concatenate([np.zeros((1, 1, 20, 22), np.float32), flow[:, None]])
    same = follow(whole, logits[None], 0.0, 20)[0] == follow_plane(flow, logits, 0.0, 20)
    assert same.mean() > 0.99, "sums of weights may be rounded in another order"
