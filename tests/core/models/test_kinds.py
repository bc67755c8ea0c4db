"""Kinds: every checkpoint is recognised as one of them by its tensors, and says by which rules it is used."""

from __future__ import annotations

import pytest

from cellspan.core.models.architecture import Convolutional, network_shapes
from cellspan.core.models.kinds import KINDS, recognised

from ...blob_finder import SMALL

pytestmark = pytest.mark.quick


def test_networks_are_recognised_by_their_tensors() -> None:
    assert recognised(network_shapes((2, 4, 8))) == (KINDS["flow-cnn"], Convolutional((2, 4, 8)))
    assert recognised(SMALL.shapes) == (KINDS["flow-sam"], SMALL)
    assert recognised({"layer.weight": (3, 3)}) is None


def test_what_kinds_decide() -> None:
    convolutional, transformer = KINDS["flow-cnn"], KINDS["flow-sam"]
    decided = [(kind.apart, kind.any_size, kind.wants_graphics_card) for kind in (convolutional, transformer)]
    assert decided == [(False, False, False), (True, True, True)]
