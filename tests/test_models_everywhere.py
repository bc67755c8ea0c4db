"""Every kind of model is listed at every door, with its size and whether a graphics card is advised."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest

from cellspan.core.machine.memory import in_words
from cellspan.core.service import client
from cellspan.core.service.models import WarmModels, listed
from cellspan.cp_module import install as cellprofiler
from cellspan.fiji_bridge.install import models_text

from .blob_finder import save_blob_finder

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.quick
ADVICE = "graphics card advised"
# name -> kind, what it finds and its network in words
KINDS = {
    "nuclei": ("flow-cnn", "nuclei; convolutional network (Cellpose 1 to 3)"),
    "cpsam_v2": ("flow-sam", "cells; transformer (Cellpose 4)"),
    "denoise_cyto3": ("restoration", "images of cells; network that restores images (Cellpose 3)"),
}


@pytest.fixture
def models(restoring_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A model of each kind, in Cellpose's folder or bundled: bytes by name."""
    folder = tmp_path / "cellpose"
    folder.mkdir()
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (folder / "denoise_cyto3").write_bytes((restoring_models / "denoise_cyto3").read_bytes())
    save_blob_finder(folder / "cpsam_v2")
    sizes = {name: (folder / name).stat().st_size for name in ("denoise_cyto3", "cpsam_v2")}
    return sizes | {
        "nuclei": next(model for model in WarmModels().available() if model.name == "nuclei")
        .weights_file.stat()
        .st_size
    }


def test_the_command_line(models: dict[str, int], cellspan: Callable) -> None:
    lines = {line.split()[0]: line for line in cellspan("models", "list").stdout.splitlines()}
    for name, (kind, _) in KINDS.items():
        assert f"  {kind}, {in_words(models[name])}" in lines[name]
        assert ("a graphics card is advised" in lines[name]) == (name == "cpsam_v2")


def test_http_and_napari(models: dict[str, int]) -> None:
    pytest.importorskip("napari")
    from cellspan.napari_plugin.engine import named

    answer = [listed(model) for model in WarmModels().available()]
    found = {item["name"]: (item["kind"], item["bytes"], item["graphics_card_advised"]) for item in answer}
    for name, (kind, _) in KINDS.items():
        assert found[name] == (kind, models[name], name == "cpsam_v2")
    assert {"nuclei", "cpsam_v2"} <= {*named(answer)}
    assert "denoise_cyto3" not in named(answer)


def test_cellprofiler(models: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(cellprofiler.PLUGIN))
    monkeypatch.setitem(sys.modules, "cellspan_plugin.client", client)  # where the installer puts it
    from cellspan_plugin import models as of_plugin

    monkeypatch.setattr(of_plugin, "FRESH", -1.0)
    found = {model.name: model for model in of_plugin.list_models([sys.executable, "-m", "cellspan.core.cli", "serve"])}
    for name, (_, network) in KINDS.items():
        advice = f", {ADVICE}" if name == "cpsam_v2" else ""
        assert found[name].line == f"{name} - {network}, {in_words(models[name])}{advice}"
        assert found[name].restores == (name == "denoise_cyto3")


def test_fiji(models: dict[str, int]) -> None:
    lines = [[unquote(part) for part in line.split("\t")] for line in models_text().splitlines()]
    found = {name: (does, words) for name, does, words in lines}
    for name, (_, network) in KINDS.items():
        advice = f", {ADVICE}" if name == "cpsam_v2" else ""
        does = "restores" if name == "denoise_cyto3" else "finds"
        assert found[name] == (does, f"{network}, {in_words(models[name])}{advice}")
