"""The bundled model on images that it was not trained on, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.end_to_end
@pytest.mark.data
def test_nuclei_in_fluorescence(tmp_path: Path, shared_data: Path, cellspan: Callable) -> None:
    images = shared_data / "dsb2018_fluo" / "val"
    cellspan("segment", images, "-o", tmp_path / "out", "--model", "nuclei")
    cellspan("evaluate", tmp_path / "out", images, "--json", tmp_path / "scores.json")
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["images"] == 65
    assert scores["mean"]["ap@0.5"] >= 0.82
