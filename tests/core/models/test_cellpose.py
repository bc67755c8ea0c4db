"""Checkpoints in Cellpose's folder: found by name, used as they are, refused with a reason."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellspan.core.errors import CellspanError
from cellspan.core.models.architecture import network_shapes, widths_from_shapes
from cellspan.core.models.cellpose import read_size_model
from cellspan.core.models.importing import import_model
from cellspan.core.models.network import CELLPOSE_WIDTHS, COMPACT_WIDTHS, FlowNetwork
from cellspan.core.models.registry import cellpose_folder, find_model, known_models, list_models, origin_of
from cellspan.core.models.sizing import diameter_from_style

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.quick
Save = Callable[..., Path]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("widths", [CELLPOSE_WIDTHS, COMPACT_WIDTHS, (2, 5), (2, 4, 8), (3, 4, 5, 6, 7, 8)])
def test_the_shapes_are_those_of_the_network(widths: tuple[int, ...]) -> None:
    expected = {name: tuple(value.shape) for name, value in FlowNetwork(widths).state_dict().items()}
    assert network_shapes(widths) == expected
    assert widths_from_shapes(expected) == widths


def test_a_checkpoint_is_found_by_name_and_used_as_it_is(
    cellpose_models: Path, save_checkpoint: Save, save_sizes: Save
) -> None:
    file = save_checkpoint(cellpose_models / "cyto3")
    save_sizes(cellpose_models / "size_cyto3.npy")
    model = find_model("cyto3")
    assert (model.name, model.description.objects, model.description.mean_diameter) == ("cyto3", "cells", 30)
    assert model.sha256 == model.description.source_sha256 == sha256(file)
    assert model.identity == {"name": "cyto3", "weights_sha256": sha256(file), "source_sha256": sha256(file)}
    assert origin_of(model) == "Cellpose"
    assert model.description.size_model is not None
    weights = model.weights()
    for name, value in torch.load(file, weights_only=True).items():
        assert np.array_equal(weights[name], value.numpy()), name


@pytest.mark.parametrize(
    ("file", "name"), [("cyto2torch_0", "cyto2"), ("cyto3", "cyto3"), ("livecell_cp3", "livecell_cp3")]
)
def test_names_are_those_of_cellpose(cellpose_models: Path, save_checkpoint: Save, file: str, name: str) -> None:
    path = save_checkpoint(cellpose_models / file)
    for typed in (name, file, f"cellpose/{name}", f"cellpose/{file}"):
        model = find_model(typed)
        assert (model.name, model.weights_file) == (name, path)
    assert name in [model.name for model in list_models()]


def test_mean_diameters_are_those_that_cellpose_takes(cellpose_models: Path, save_checkpoint: Save) -> None:
    expected = {"mine": 28, "cyto3": 30, "nucleitorch_0": 17}  # it does not ask the files of official models
    for file, diameter in expected.items():
        save_checkpoint(cellpose_models / file, diameter=28)
        assert find_model(f"cellpose/{file}").description.mean_diameter == diameter


def test_bundled_and_own_models_come_first(cellpose_models: Path, save_checkpoint: Save) -> None:
    official = save_checkpoint(cellpose_models / "nucleitorch_0", seed=1)
    mine = save_checkpoint(cellpose_models / "mine", seed=2)
    assert origin_of(find_model("nuclei")) == "bundled"
    assert find_model("cellpose/nuclei").weights_file == official
    assert find_model("mine").weights_file == mine
    import_model(official, "mine")
    assert origin_of(find_model("mine")) == "your own"
    assert find_model("mine").description.source_sha256 == sha256(official)
    origins = {item.name: item.origin for item in known_models()}
    expected = {"nuclei": "bundled", "cellpose/nuclei": "Cellpose", "mine": "your own", "cellpose/mine": "Cellpose"}
    assert origins | expected == origins
    assert [model.name for model in list_models()] == list(origins)


def test_a_checkpoint_is_found_by_its_path(tmp_path: Path, save_checkpoint: Save) -> None:
    path = save_checkpoint(tmp_path / "mein Modell.v1")
    model = find_model(str(path))
    assert (model.name, origin_of(model)) == ("mein Modell.v1", "path")


def test_lists_name_what_cannot_be_used_and_ignore_other_files(
    cellpose_models: Path, own_models: Path, save_checkpoint: Save, save_sizes: Save
) -> None:
    save_checkpoint(cellpose_models / "cyto3")
    save_sizes(cellpose_models / "size_cyto3.npy")
    torch.save({"encoder.patch_embed.proj.weight": torch.zeros(3).bfloat16()}, cellpose_models / "cpsam")
    (cellpose_models / "tmpdownload").write_bytes((cellpose_models / "cyto3").read_bytes()[:-100])
    (cellpose_models / "gui_models.txt").write_text("mine\n")
    (cellpose_models / "cyto3.sha256").write_text("0\n")
    (cellpose_models / "folder").mkdir()
    (own_models / "broken").mkdir(parents=True)
    (own_models / "broken" / "model.json").write_text("{")
    found = {item.name: item for item in known_models()}
    assert {"cyto3", "cpsam", "broken", "tmpdownload"} == set(found) - {
        item.name for item in found.values() if item.origin == "bundled"
    }
    assert found["cyto3"].estimates_diameters
    assert "not the weights of a network that cellspan runs" in found["cpsam"].problem
    assert "cut short" in found["tmpdownload"].problem
    assert "model.json" in found["broken"].problem
    assert {model.name for model in list_models()} == set(found) - {"broken", "cpsam", "tmpdownload"}


def test_lists_do_not_read_weights(
    cellpose_models: Path, save_checkpoint: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(cellpose_models / "cyto3", CELLPOSE_WIDTHS)

    def refuse(path: Path) -> str:
        raise AssertionError(path)

    monkeypatch.setattr("cellspan.core.models.cellpose.sha256_of", refuse)
    assert "cyto3" in [item.name for item in known_models()]
    with pytest.raises(CellspanError, match=r"no model 'cyto4'; the available models are: .*cyto3"):
        find_model("cyto4")


def test_missing_official_models_are_explained(cellpose_models: Path) -> None:
    for name in ("cyto2", "cellpose/cyto2"):
        with pytest.raises(CellspanError, match="cellspan models fetch cyto2"):
            find_model(name)
    for name in ("../cyto3", "cellpose/", "cellpose/../../x", "cellpose/.hidden"):
        with pytest.raises(CellspanError, match="There is no model"):
            find_model(name)


def test_without_the_variable_the_folder_is_in_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CELLPOSE_LOCAL_MODELS_PATH")
    assert cellpose_folder() == Path.home() / ".cellpose" / "models"


def altered(path: Path, change: Callable[[dict], object]) -> Path:
    state = torch.load(path, weights_only=True)
    change(state)
    torch.save(state, path)
    return path


def test_other_networks_are_refused_by_name(cellpose_models: Path, save_checkpoint: Save) -> None:
    cases = {
        "cpsam": ({"encoder.patch_embed.proj.weight": torch.zeros(3)}, "cpsam: these are not the weights"),
        "cpdino": ({"encoder.cls_token": torch.zeros(3)}, "this is cpdino.*: use cpsam_v2 in its place"),
        "transformer_cp3": ({"net.encoder.patch_embed1.proj.weight": torch.zeros(3)}, "convolutional network"),
    }
    for name, (state, reason) in cases.items():
        cellpose_models.mkdir(parents=True, exist_ok=True)
        torch.save(state, cellpose_models / name)
        with pytest.raises(CellspanError, match=reason):
            find_model(name)
    file = save_checkpoint(cellpose_models / "denoise_cyto3")
    altered(file, lambda state: state.update({"output.2.weight": torch.zeros(1, 4, 1, 1)}))
    with pytest.raises(CellspanError, match="denoise_cyto3: these are not the weights of a network that cellspan runs"):
        find_model("denoise_cyto3")  # it sees two channels
    file = save_checkpoint(cellpose_models / "brain")
    altered(file, lambda state: state.update({"output.2.bias": torch.zeros(3).bfloat16()}))
    with pytest.raises(CellspanError, match=r"output\.2\.bias"):
        find_model("brain")
    altered(file, lambda state: state.update({"output.2.bias": torch.zeros(3), "diam_mean": torch.tensor([np.nan])}))
    with pytest.raises(CellspanError, match="diameter"):
        find_model("brain")
    file.write_text("<html>Internal Server Error</html>")
    with pytest.raises(CellspanError, match="brain: this is not a torch checkpoint"):
        find_model("brain")


def test_old_checkpoints_lack_diameters_and_counters(cellpose_models: Path, save_checkpoint: Save) -> None:
    def strip(state: dict) -> None:
        for name in [name for name in state if "diam_" in name or name.endswith("num_batches_tracked")]:
            del state[name]

    for file, name, diameter in (("cytotorch_0", "cellpose/cyto", 30), ("nucleitorch_0", "cellpose/nuclei", 17)):
        altered(save_checkpoint(cellpose_models / file), strip)
        model = find_model(name)
        assert model.description.mean_diameter == diameter
        assert set(model.weights()) == set(FlowNetwork(model.description.widths).state_dict())


def test_a_replaced_checkpoint_is_noticed(cellpose_models: Path, save_checkpoint: Save) -> None:
    file = save_checkpoint(cellpose_models / "cyto3", seed=1)
    before = find_model("cyto3")
    save_checkpoint(file, seed=2)
    os.utime(file, (1, 1))
    assert find_model("cyto3").sha256 == sha256(file) != before.sha256
    with pytest.raises(CellspanError, match="replaced"):
        before.weights()


def test_the_size_model_has_a_mean_diameter_of_its_own(
    cellpose_models: Path, save_checkpoint: Save, save_sizes: Save
) -> None:
    save_checkpoint(cellpose_models / "cyto3", diameter=28)
    content = np.load(save_sizes(cellpose_models / "size_cyto3.npy", diameter=30), allow_pickle=True).item()
    model = find_model("cyto3").description.size_model
    assert model is not None
    style = np.random.default_rng(1).random(len(content["A"])).astype(np.float32)
    expected = np.exp(content["A"] @ (style - content["smean"]) + np.log(30) + content["ymean"])
    assert diameter_from_style(style, model) == pytest.approx(np.clip(expected, 5, 2000), rel=1e-5)


@pytest.mark.filterwarnings("ignore:.*invalid escape sequence")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
def test_flipped_bytes_in_a_size_model_are_an_error_or_a_number(
    tmp_path: Path, save_sizes: Save, place: float, value: int
) -> None:
    file = save_sizes(tmp_path / "size.npy")
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] = value
    file.write_bytes(content)
    with contextlib.suppress(CellspanError):
        assert isinstance(read_size_model(file, 8, 30.0).intercept, float)


def test_damaged_size_models_are_refused(cellpose_models: Path, save_checkpoint: Save, save_sizes: Save) -> None:
    save_checkpoint(cellpose_models / "cyto3")
    file = save_sizes(cellpose_models / "size_cyto3.npy", style_length=9)
    with pytest.raises(CellspanError, match=r"size_cyto3\.npy: .*does not fit a style of length"):
        find_model("cyto3")
    save_sizes(file, diameter=np.nan)
    with pytest.raises(CellspanError, match="impossible numbers"):
        find_model("cyto3")
    np.save(file, {"A": np.zeros(8), "smean": np.zeros(8)}, allow_pickle=True)
    with pytest.raises(CellspanError, match=r"size_cyto3\.npy: this is not a Cellpose size model \('ymean'\)"):
        find_model("cyto3")
    for content in (b"", b"nonsense", file.read_bytes()[:-20]):
        file.write_bytes(content)
        with pytest.raises(CellspanError, match=r"size_cyto3\.npy: this NumPy file cannot be read"):
            find_model("cyto3")
