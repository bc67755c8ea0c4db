"""Margins of networks that take tiles of one size, and of those that take any."""

from __future__ import annotations

import pytest

from cellspan.core.inference.tile_rules import TileRules
from cellspan.core.models.kinds import MARGIN
from cellspan.core.models.registry import find_model

pytestmark = pytest.mark.quick


def test_an_image_that_fits_into_one_tile_gets_less_margin() -> None:
    rules = TileRules(side=256, margin=8)
    assert rules.margin_of(250) == 3
    assert rules.margin_of(200) == 8
    assert rules.margin_of(257) == 8


def test_tiles_of_any_size_have_the_usual_margin() -> None:
    rules = TileRules.of(find_model("nuclei").description)
    assert rules.side is None
    assert rules.has_style
    assert rules.margin_of(10) == rules.margin_of(1000) == MARGIN
