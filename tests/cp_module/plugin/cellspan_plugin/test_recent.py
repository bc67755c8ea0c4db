"""The network runs again for exactly those options that it depends on."""

from __future__ import annotations

import pytest
from cellspan_plugin.recent import WITHOUT_NETWORK

from cellspan.core.parameters import DYNAMICS

pytestmark = pytest.mark.quick


def test_the_options_without_the_network_are_those_of_the_engine() -> None:
    assert WITHOUT_NETWORK == DYNAMICS
