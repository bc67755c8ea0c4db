"""Points of arrival in volumes: as in planes, with neighbours above and below."""

import numpy as np
import pytest

from cellspan.core.dynamics.grouping import group as group_plane
from cellspan.core.dynamics.steps import REACH, SEED, TAIL
from cellspan.core.dynamics.volume_grouping import group

pytestmark = pytest.mark.quick
SHAPE = (16, 20, 24)


def arrivals(places: dict[tuple[int, int, int], int]) -> np.ndarray:
    """So many voxels arrive at each place; voxels are taken in reading order."""
    flat = np.full(np.prod(SHAPE), -1, np.int32)
    goals = np.repeat([np.ravel_multi_index(place, SHAPE) for place in places], list(places.values()))
    flat[: len(goals)] = goals
    return flat.reshape(SHAPE)


def sizes(labels: np.ndarray) -> list[int]:
    """Of the objects; one that a stronger one has taken over has none."""
    return [size for size in np.bincount(labels.ravel())[1:].tolist() if size]


def test_an_object_needs_more_voxels_than_a_seed() -> None:
    assert sizes(group(arrivals({(5, 5, 5): SEED}))) == []
    assert sizes(group(arrivals({(5, 5, 5): SEED + 1}))) == [SEED + 1]


def test_points_above_and_at_corners_join() -> None:
    above = {(5, 5, 5): 30, (6, 5, 5): TAIL + 1, (7, 6, 6): TAIL + 1}
    assert sizes(group(arrivals(above))) == [30 + 2 * (TAIL + 1)]
    assert sizes(group(arrivals({(5, 5, 5): 30, (7, 5, 5): TAIL + 1}))) == [30]


def test_an_object_gathers_no_further_than_its_reach() -> None:
    column = {(2 + step, 5, 5): 4 for step in range(1, REACH + 3)}
    assert sizes(group(arrivals({(2, 5, 5): 30, **column}))) == [30 + 4 * REACH]


def test_one_slice_is_grouped_as_a_plane() -> None:
    random = np.random.default_rng(3)
    plane = np.where(random.random((40, 50)) < 0.8, random.integers(0, 40, (40, 50)) * 51, -1).astype(np.int32)
    expected = group_plane(plane)
    assert expected.max() > 1
    np.testing.assert_array_equal(group(plane[None])[0], expected)
