"""The polygons of the page: they are the pixels, and keep colour and number."""

from __future__ import annotations

import numpy as np
import pytest

from cellspan.core.objects.outlines import paint_loops
from cellspan.review_page.outlines import drawn_objects
from cellspan.review_page.quality import Quality

pytestmark = pytest.mark.quick


def test_the_polygons_are_the_pixels(disks: np.ndarray) -> None:
    disks[28:33, 28:33] = 0  # a hole
    found = drawn_objects(disks, Quality())
    assert [entry["label"] for entry in found] == [1, 1, 2, 3]
    painted = np.zeros_like(disks)
    for number in (1, 2, 3):
        loops = [np.array(entry["polygon"]).reshape(-1, 2) for entry in found if entry["label"] == number]
        paint_loops(painted, loops, number)
    np.testing.assert_array_equal(painted, disks)


def test_what_is_known_of_an_object(disks: np.ndarray) -> None:
    disks[:, :20] = 0
    disks[0:3, 60:70] = 3
    first, *_, last = drawn_objects(disks, Quality.of([[1.23456, 2], [0.1, np.nan]]))
    assert (first["area"], first["probability"], first["flowError"]) == (int((disks == 1).sum()), 1.235, 0.1)
    assert (last["probability"], last["flowError"], last["edge"], first["edge"]) == (None, None, True, False)


def test_a_number_keeps_its_colour_in_other_slices(disks: np.ndarray) -> None:
    colour = {entry["label"]: entry["color"] for entry in drawn_objects(disks, Quality())}
    only = np.where(disks == 2, 2, 0).astype(np.int32)
    [entry] = drawn_objects(only, Quality())
    assert entry["color"] == colour[2] != colour[1]


def test_no_objects() -> None:
    assert drawn_objects(np.zeros((5, 6), np.int32), Quality()) == []
