"""Checkpoints of Cellpose 4: found by name, imported, exported, and refused where they cannot be right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.files.hashing import sha256_of
from cellspan.core.models.card import card
from cellspan.core.models.importing import export_checkpoint, import_model
from cellspan.core.models.registry import find_model, known_models, load_model

from ...blob_finder import SMALL, blob_finder, save_blob_finder

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.quick


def altered(path: Path, change: Callable[[dict], object]) -> Path:
    state = torch.load(path, weights_only=True)
    change(state)
    torch.save(state, path)
    return path


def test_a_checkpoint_is_found_by_name_and_used_as_it_is(cellpose_models: Path) -> None:
    file = save_blob_finder(cellpose_models / "cpsam_v2")
    model = find_model("cpsam_v2")
    about = model.description
    assert (about.kind, about.objects, about.mean_diameter, about.widths) == ("flow-sam", "cells", 30, ())
    assert about.transformer == about.layout == SMALL
    assert about.size_model is None
    assert model.sha256 == about.source_sha256 == sha256_of(file)
    for name, array in blob_finder().items():
        np.testing.assert_array_equal(model.weights()[name], array)
    listed = next(item for item in known_models() if item.name == "cpsam_v2")
    assert (listed.problem, listed.kind.name, listed.size) == ("", "flow-sam", file.stat().st_size)


def test_the_prefix_of_several_cards_and_their_diameter_do_not_matter(tmp_path: Path) -> None:
    file = save_blob_finder(tmp_path / "mine")
    state = torch.load(file, weights_only=True)
    state["diam_labels"][:] = 55
    torch.save({f"module.{name}": value for name, value in state.items()}, file)
    (tmp_path / "size_mine.npy").write_bytes(b"of another model")
    model = find_model(str(file))
    assert model.description.mean_diameter == 30
    assert model.weights().keys() == SMALL.shapes.keys()


def test_import_and_export(tmp_path: Path) -> None:
    file = save_blob_finder(tmp_path / "mine")
    model = import_model(file, "ours")
    assert load_model(model.folder).description == model.description
    assert model.description.source_sha256 == sha256_of(file)
    export_checkpoint(model, tmp_path / "out")
    exported, expected = (torch.load(path, weights_only=True) for path in (tmp_path / "out", file))
    assert exported.keys() == expected.keys()
    assert all(torch.equal(exported[name], expected[name]) for name in expected)
    text = card(model)
    assert "transformer (Cellpose 4)" in text
    assert "a graphics card is advised" in text
    assert "no diameter is needed" in text


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda state: state["out.weight"].__setitem__((0, 0, 0, 0), float("nan")),
            "1 of .* weights in 'out.weight' are NaN",
        ),
        (lambda state: state["encoder.blocks.1.mlp.lin1.weight"].fill_(float("inf")), "are NaN, infinite"),
        (lambda state: state.update(W2=state["W2"].flip(0)), "'W2' does not put each number of a token at a pixel"),
        (lambda state: state.pop("encoder.blocks.1.mlp.lin1.bias"), "'encoder.blocks.1.mlp.lin1.bias' does not match"),
        (lambda state: state.update({"encoder.neck.1.bias": torch.zeros(3)}), "'encoder.neck.1.bias' does not match"),
        (lambda state: state.update({"encoder.cls_token": torch.zeros(3)}), "'encoder.cls_token' does not match"),
    ],
    ids=["nan", "inf", "W2", "missing", "shape", "more"],
)
def test_weights_that_cannot_be_right(tmp_path: Path, change: Callable[[dict], object], sentence: str) -> None:
    file = altered(save_blob_finder(tmp_path / "mine"), change)
    for use in (import_model, lambda file: find_model(str(file)).weights()):
        with pytest.raises(CellspanError, match=sentence) as refusal:
            use(file)
        assert "\n" not in str(refusal.value)


def test_memory_is_asked_for_before_the_weights_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = find_model(str(save_blob_finder(tmp_path / "mine")))
    monkeypatch.setattr("cellspan.core.machine.memory.available_memory", lambda: SMALL.memory - 1)
    with pytest.raises(CellspanError, match=r"mine: the checkpoint needs .* of memory, and .* are free: use another"):
        model.weights()
