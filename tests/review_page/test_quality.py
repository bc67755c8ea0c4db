"""What is known of objects: from the engine, from the table of a run, and after corrections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cellspan.review_page.quality import Quality, quality_in_table

pytestmark = pytest.mark.quick


def test_from_the_engine() -> None:
    quality = Quality.of([[3, 4], [0.5, 0.6]])
    np.testing.assert_array_equal(quality.probability, [np.nan, 3, 4])
    np.testing.assert_array_almost_equal(quality.flow_error, [np.nan, 0.5, 0.6])


def test_nothing_is_known_of_what_was_changed() -> None:
    quality = Quality.of([[3, 4], [0.5, 0.6]]).without([2, 99])
    np.testing.assert_array_equal(quality.probability, [np.nan, 3, np.nan])


def test_from_a_table(tmp_path: Path) -> None:
    table = tmp_path / "a_objects.csv"
    table.write_text("label,area,mean_probability\n1,20,1.5\n3,9,-2\n")
    np.testing.assert_array_equal(quality_in_table(table).probability, [np.nan, 1.5, np.nan, -2])


@pytest.mark.parametrize(
    "content", ["", "label,area\n1,3\n", "label,mean_probability\nx,1\n", "label,mean_probability\n-4,1\n"]
)
def test_a_table_that_says_nothing(content: str, tmp_path: Path) -> None:
    table = tmp_path / "a_objects.csv"
    assert not len(quality_in_table(table).probability)
    table.write_text(content)
    assert not len(quality_in_table(table).probability)
