"""Units as parts of names."""

from __future__ import annotations

import pytest

from cellspan.core.results.units import plain_unit

pytestmark = pytest.mark.quick


def test_units_are_spelt_plainly() -> None:
    assert [plain_unit(unit) for unit in ("µm", "μm", "Å", "mm", "a b", "")] == ["um", "um", "A", "mm", "a_b", "pixels"]
    assert plain_unit("", "pixel") == plain_unit("п", "pixel") == "pixel"
