"""Packages of bioimage.io from other programs: what holds a checkpoint of Cellpose becomes a model, nothing is run."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cellspan.core.errors import CellspanError
from cellspan.core.models.card import card
from cellspan.core.models.importing import import_model
from cellspan.core.models.package_reading import is_package

pytest.importorskip("torch")
pytestmark = pytest.mark.quick
Save = Callable[..., Path]
ABOUT = {
    "type": "model",
    "name": "Nuclei of ovules",
    "id": "philosophical-panda",
    "version": "0.1.0",
    "license": "MIT",
    "authors": [{"name": "A. Person", "affiliation": "Somewhere"}, {"name": "B. Person"}],
    "cite": [{"text": "A paper", "doi": "10.1242/dev.202800", "url": None}],
}


@pytest.fixture
def checkpoint(tmp_path: Path, save_checkpoint: Save) -> Path:
    return save_checkpoint(tmp_path / "cellpose_residual_on_style_on_concatenation_off_1135", diameter=22.0)


def described(checkpoint: Path, **weights: Any) -> dict[str, Any]:
    """As cellpose/export.py describes a model, in format 0.5."""
    network = {"source": "resnet_torch.py", "callable": "CPnetBioImageIO", "kwargs": {"nout": 3}}
    entry = {"source": checkpoint.name, "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest()}
    formats = {"pytorch_state_dict": {**entry, "architecture": network}, "torchscript": {"source": "cp_traced.pt"}}
    return {**ABOUT, "format_version": "0.5.3", "weights": weights or formats}


def packed(path: Path, rdf: Any, *files: Path, name: str = "rdf.yaml") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, rdf if isinstance(rdf, str) else yaml.safe_dump(rdf))
        for file in files:
            archive.write(file, file.name)
    return path


@pytest.mark.parametrize("name", ["rdf.yaml", "bioimageio.yaml"])
def test_a_package_of_cellpose(tmp_path: Path, checkpoint: Path, name: str) -> None:
    path = packed(tmp_path / "ovules.zip", described(checkpoint), checkpoint, name=name)
    assert is_package(path)
    assert not is_package(checkpoint)
    model = import_model(path)
    assert (model.name, model.description.mean_diameter) == ("ovules", 22)
    assert model.description.source_sha256 == hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    assert model.description.training == {
        "imported_from": "ovules.zip",
        "package": {
            "name": "Nuclei of ovules",
            "id": "philosophical-panda",
            "version": "0.1.0",
            "license": "MIT",
            "authors": ["A. Person", "B. Person"],
            "cite": ["A paper 10.1242/dev.202800"],
        },
    }
    text = card(model)
    assert "Nuclei of ovules, version 0.1.0 (philosophical-panda)" in text
    assert "by A. Person, B. Person; licence MIT" in text
    assert "Please cite: A paper 10.1242/dev.202800" in text
    assert import_model(path, "other", mean_diameter=30).description.mean_diameter == 30


def test_an_unpacked_package_and_one_of_format_0_4(tmp_path: Path, checkpoint: Path) -> None:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    (folder / checkpoint.name).write_bytes(checkpoint.read_bytes())
    weights = {"pytorch_state_dict": {"source": f"./{checkpoint.name}", "architecture": "resnet_torch.py:CPnet"}}
    (folder / "rdf.yaml").write_text(yaml.safe_dump({**described(checkpoint, **weights), "format_version": "0.4.9"}))
    assert import_model(folder, "own").description.mean_diameter == 22


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ({"torchscript": {"source": "cp.pt"}, "onnx": {}}, r"holds no pytorch_state_dict.*onnx, torchscript"),
        ({"pytorch_state_dict": {"source": "https://example.org/w.pt"}}, "only names its weights"),
        ({"pytorch_state_dict": {"source": "../../etc/passwd"}}, "outside of itself"),
        ({"pytorch_state_dict": {"source": "/etc/passwd"}}, "outside of itself"),
        ({"pytorch_state_dict": {"source": "missing.pt"}}, "cannot be read"),
        ({"pytorch_state_dict": {}}, "holds no pytorch_state_dict"),
    ],
)
def test_what_cannot_be_used_is_named(
    tmp_path: Path, checkpoint: Path, own_models: Path, weights: dict[str, Any], reason: str
) -> None:
    path = packed(tmp_path / "a.zip", described(checkpoint, **weights), checkpoint)
    with pytest.raises(CellspanError, match=rf"a\.zip: .*{reason}"):
        import_model(path)
    assert not own_models.exists() or not list(own_models.iterdir())


def test_damaged_packages_are_named(tmp_path: Path, checkpoint: Path) -> None:
    wrong = described(checkpoint)
    wrong["weights"]["pytorch_state_dict"]["sha256"] = "0" * 64
    cases = [
        (wrong, "do not match the package's checksum"),
        ("- a list", "describes no weights"),
        ("a: [", "cannot be read"),
        ("!!python/object/apply:os.mkdir [trace]", "cannot be read"),
        ("[" * 5000, "cannot be read"),
    ]
    for number, (rdf, reason) in enumerate(cases):
        with pytest.raises(CellspanError, match=rf"{number}\.zip: .*{reason}"):
            import_model(packed(tmp_path / f"{number}.zip", rdf, checkpoint))
    cut = packed(tmp_path / "cut.zip", described(checkpoint), checkpoint)
    cut.write_bytes(cut.read_bytes()[:2000])
    with pytest.raises(CellspanError, match=r"cut\.zip: "):
        import_model(cut)


def test_a_network_of_another_kind_in_a_package(tmp_path: Path) -> None:
    import torch

    torch.save({"layer.weight": torch.zeros(3)}, tmp_path / "unet.pt")
    path = packed(tmp_path / "unet.zip", described(tmp_path / "unet.pt"), tmp_path / "unet.pt")
    with pytest.raises(CellspanError, match=r"unet\.zip: unet\.pt: these are not the weights of a network"):
        import_model(path)


def test_what_a_package_claims_of_itself_is_checked(tmp_path: Path, checkpoint: Path) -> None:
    for claim in ({"widths": [2, 9]}, {"name": "x", "objects": "x", "widths": [2, 5, 9], "mean_diameter": 3}, "x"):
        rdf = {**described(checkpoint), "config": {"cellspan": claim}}
        model = import_model(packed(tmp_path / "a.zip", rdf, checkpoint), f"own{len(str(claim))}")
        assert (model.description.widths, model.description.mean_diameter) == ((2, 4, 8), 22)
