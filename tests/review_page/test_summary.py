"""Numbers and flags of the grid: each flag is raised by what it is for, and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.review_page.quality import Quality
from cellspan.review_page.summary import Summary, flags_of, summary_of

pytestmark = pytest.mark.quick
USUAL = Summary(100, 20.0, 0.2, 8, 3.0, 500)


def changed(**values: object) -> Summary:
    return Summary(**{**USUAL.as_json(), **values})


def flags(one: Summary) -> list[str]:
    """Among five usual images."""
    *others, own = flags_of([USUAL] * 5 + [one])
    assert others == [[]] * 5
    return own


def test_an_image_counts_its_objects(disks: np.ndarray) -> None:
    disks[disks == 2] = 7  # numbers may have gaps
    found = summary_of(disks, Quality.of([[1.0, 9, 2.0], [0, 0, 0]]))
    assert (found.count, found.at_edges, found.probability) == (3, 0, 1.5)
    assert found.covered == pytest.approx((disks > 0).mean(), abs=1e-4)
    assert found.diameter == pytest.approx(27, abs=3)
    assert Summary.of_json(found.as_json()) == found


def test_no_objects() -> None:
    found = summary_of(np.zeros((40, 50), np.int32), Quality())
    assert (found.count, found.diameter) == (0, None)
    assert flags(found) == ["empty"]


def test_a_usual_image_has_no_flags() -> None:
    assert flags(USUAL) == []


@pytest.mark.parametrize(
    ("values", "flag"),
    [
        ({"covered": 0.7}, "crowded"),
        ({"count": 400, "at_edges": 20}, "crowded"),
        ({"at_edges": 40}, "edges"),
        ({"probability": 0.4}, "low probability"),
        ({"diameter": 35.0}, "diameter"),
        ({"diameter": 12.0}, "diameter"),
    ],
)
def test_each_flag(values: dict[str, object], flag: str) -> None:
    assert flags(changed(**values)) == [flag]


def test_few_images_are_not_compared() -> None:
    assert flags_of([changed(diameter=80.0), USUAL, None]) == [[], [], []]


def test_scattered_objects_are_not_at_edges_by_chance() -> None:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:300, :300]
    labels = np.zeros((300, 300), np.int32)
    for number, (cy, cx) in enumerate(rng.uniform(-15, 315, (60, 2)), 1):
        labels[(y - cy) ** 2 + (x - cx) ** 2 < 12**2] = number
    assert "edges" not in flags_of([summary_of(labels, Quality())])[0]


def test_in_a_volume_top_and_bottom_are_no_edges() -> None:
    labels = np.zeros((3, 40, 40), np.int32)
    labels[:, 10:20, 10:20] = 1
    labels[:, 30:40, 10:20] = 2
    assert summary_of(labels, Quality()).at_edges == 1
