"""The wells in the names of plate readers."""

from __future__ import annotations

import pytest

from cellspan.review_page.wells import well_of

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("name", "well"),
    [
        ("plate1_B03_s2", "B03"),
        ("P24_w1", "P24"),
        ("AB-3_f01", "AB03"),
        ("r02c03f01p01-ch1sk1fk1fl1", "B03"),
        ("AS_09125_050118150001_A03f00d0", "A03"),
        ("cells", None),
        ("nuclei_001", None),
        ("B03000", None),
        ("Z03", None),
        ("A00", None),
        ("r99c03", None),
    ],
)
def test_well(name: str, well: str | None) -> None:
    assert well_of(name) == well
