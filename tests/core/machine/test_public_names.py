"""Public names that are loaded when they are first used."""

from __future__ import annotations

import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.machine.public_names import loader

pytestmark = pytest.mark.quick


def test_names_come_from_their_homes_and_others_are_refused() -> None:
    load = loader("cellspan.core", {"CellspanError": "errors"})
    assert load("CellspanError") is CellspanError
    with pytest.raises(AttributeError, match=r"module 'cellspan\.core' has no attribute 'spam'"):
        load("spam")
