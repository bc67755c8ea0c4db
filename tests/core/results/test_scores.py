"""The bundled models on images that they were not trained on, through the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cellspan.core.models.registry import find_model

TWO_CHANNELS = ("--channel", "0", "--nuclei-channel", "1")


@pytest.mark.end_to_end
@pytest.mark.data
@pytest.mark.parametrize(
    ("model", "source", "options"),
    [
        ("nuclei", "bbbc039", ()),
        ("cyto", "usiigaci_phase", ()),
        ("cyto", "yeastvision_phase", ()),
        ("cyto", "codex_expert", TWO_CHANNELS),
        ("cyto", "ecoli_fluo_tractatus", ()),
    ],
)
def test_models_score_as_their_cards_say(
    model: str, source: str, options: tuple[str, ...], tmp_path: Path, shared_data: Path, cellspan: Callable
) -> None:
    images = shared_data / source / "val"
    cellspan("segment", images, "-o", tmp_path / "out", "--model", model, "--save", "labels", *options)
    cellspan("evaluate", tmp_path / "out", images, "--json", tmp_path / "scores.json")
    scores = json.loads((tmp_path / "scores.json").read_text())
    said = find_model(model).description.scores[source]
    assert scores["images"] == said["images"]
    # Libraries round differently from one machine to the next, which can decide about an object or two.
    assert scores["mean"]["ap@0.5"] == pytest.approx(said["ap50"], abs=0.02)
    assert scores["mean"]["ap@0.75"] == pytest.approx(said["ap75"], abs=0.03)
