"""Devices: those that are not there are named."""

from __future__ import annotations

import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.inference.predictor import resolve_device

pytestmark = pytest.mark.quick


def test_unknown_devices_are_named() -> None:
    with pytest.raises(CellspanError, match="no device 'tpu'"):
        resolve_device("tpu")
    with pytest.raises(CellspanError, match=r"cuda:77.*not available|needs torch"):
        resolve_device("cuda:77")
    assert resolve_device("cpu") == "cpu"
