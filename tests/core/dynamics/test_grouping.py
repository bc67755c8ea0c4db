"""Points of arrival become objects: enough pixels found one, near points join it, the stronger takes what is shared."""

import numpy as np
import pytest

from cellspan.core.dynamics.grouping import group
from cellspan.core.dynamics.steps import REACH, SEED, TAIL

pytestmark = pytest.mark.quick
SHAPE = (40, 60)


def arrivals(**places: int) -> np.ndarray:
    """So many pixels arrive at each place, named y_x; pixels are taken in reading order."""
    goals: list[int] = []
    for name, count in places.items():
        y, x = map(int, name.strip("p").split("_"))
        goals += [y * SHAPE[1] + x] * count
    flat = np.full(SHAPE[0] * SHAPE[1], -1, np.int32)
    flat[: len(goals)] = goals
    return flat.reshape(SHAPE)


def sizes(labels: np.ndarray) -> list[int]:
    """Of the objects; one that a stronger one has taken over has none."""
    return [size for size in np.bincount(labels.ravel())[1:].tolist() if size]


def test_an_object_needs_more_pixels_than_a_seed() -> None:
    assert sizes(group(arrivals(p5_5=SEED))) == []
    assert sizes(group(arrivals(p5_5=SEED + 1))) == [SEED + 1]


def test_neighbouring_points_join_if_enough_arrive_there() -> None:
    assert sizes(group(arrivals(p5_5=30, p5_6=TAIL + 1))) == [30 + TAIL + 1]
    assert sizes(group(arrivals(p5_5=30, p5_6=TAIL))) == [30]
    assert sizes(group(arrivals(p5_5=30, p5_7=TAIL + 1))) == [30], "a gap is between them"


def test_an_object_gathers_no_further_than_its_reach() -> None:
    row = {f"p5_{5 + step}": 4 for step in range(1, REACH + 3)}
    assert sizes(group(arrivals(p5_5=30, **row))) == [30 + 4 * REACH]


def test_the_stronger_seed_takes_what_both_reach() -> None:
    labels = group(arrivals(p5_5=20, p5_6=4, p5_7=4, p5_8=25))
    assert sorted(sizes(labels)) == [25 + 20 + 4 + 4], "the weaker one too, which lies within reach"
    labels = group(arrivals(p5_5=20, p5_6=4, p5_7=4, p5_8=4, p5_9=4, p5_10=4, p5_11=25))
    assert sorted(sizes(labels)) == [20, 25 + 5 * 4]


def test_background_stays_background() -> None:
    assert not group(np.full(SHAPE, -1, np.int32)).any()
