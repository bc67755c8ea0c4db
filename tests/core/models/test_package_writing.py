"""Packages of bioimage.io: all that other programs need, and the same model when they come back."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml

from cellspan.core.errors import CellspanError
from cellspan.core.models.description import Model
from cellspan.core.models.importing import import_model
from cellspan.core.models.package_writing import OWN_IMPORT, export_package
from cellspan.core.models.registry import find_model

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a package of the bundled model."""
    path = tmp_path_factory.mktemp("package") / "nuclei.zip"
    export_package(find_model("nuclei"), path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_description_names_every_file_with_its_checksum(package: dict[str, bytes]) -> None:
    rdf = yaml.safe_load(package["rdf.yaml"])
    named = {}

    def look(node: object) -> None:
        if isinstance(node, dict):
            if "sha256" in node:
                named[node["source"]] = node["sha256"]
            for value in node.values():
                look(value)
        elif isinstance(node, list):
            for value in node:
                look(value)

    look({key: value for key, value in rdf.items() if key != "config"})
    assert named == {
        name: hashlib.sha256(content).hexdigest()
        for name, content in package.items()
        if name not in ("rdf.yaml", "README.md")
    }
    assert rdf["documentation"] == "README.md"
    assert b"# Model nuclei" in package["README.md"]
    assert b"&id" not in package["rdf.yaml"]


def test_the_network_needs_nothing_but_torch_and_gives_the_expected_outputs(package: dict[str, bytes]) -> None:
    code = package["network.py"].decode()
    assert OWN_IMPORT not in code
    assert "import cellspan" not in code
    assert "from cellspan" not in code
    module = ModuleType("network_of_package")
    exec(compile(code, "network.py", "exec"), module.__dict__)
    about = yaml.safe_load(package["rdf.yaml"])["weights"]["pytorch_state_dict"]["architecture"]
    network = getattr(module, about["callable"])(**about["kwargs"])
    network.load_state_dict(torch.load(io.BytesIO(package["weights.pt"]), weights_only=True))
    raw, outputs, style = (np.load(io.BytesIO(package[f"test_{name}.npy"])) for name in ("raw", "outputs", "style"))
    low, high = np.percentile(raw, (1, 99), axis=(2, 3), keepdims=True)
    with torch.inference_mode():
        found = network.eval()(torch.from_numpy(((raw - low) / (high - low + 1e-6)).astype(np.float32)))
    np.testing.assert_allclose(found[0], outputs, atol=1e-5)
    np.testing.assert_allclose(found[1], style, atol=1e-5)
    assert (outputs[0, 2] > 0).any(), "the test shows something to find"


def test_a_package_comes_back_as_the_same_model(tmp_path: Path) -> None:
    before = find_model("nuclei")
    export_package(before, tmp_path / "my nuclei.zip")
    after = import_model(tmp_path / "my nuclei.zip")
    assert after.name == "my nuclei"
    for name in ("widths", "mean_diameter", "size_model", "objects", "scores", "limits"):
        assert getattr(after.description, name) == getattr(before.description, name), name
    assert after.description.training["sources"] == before.description.training["sources"]
    assert after.description.training["package"]["name"] == "nuclei"
    states = before.weights(), after.weights()
    assert states[0].keys() == states[1].keys()
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize(("channels", "names"), [(1, ["channel0"]), (3, ["channel0", "channel1", "channel2"])])
def test_networks_of_other_channels(
    tmp_path: Path, save_checkpoint: Callable[..., Path], channels: int, names: list[str]
) -> None:
    export_package(find_model(str(save_checkpoint(tmp_path / "a", (channels, 4, 8)))), tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        rdf = yaml.safe_load(archive.read("rdf.yaml"))
        assert rdf["inputs"][0]["axes"][1]["channel_names"] == names
        assert np.load(io.BytesIO(archive.read("test_raw.npy"))).shape[1] == channels
    assert import_model(tmp_path / "a.zip", "b").description.widths == (channels, 4, 8)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("a: b's (2)", "a b s (2)"), ("cyto", "model cyto"), ("\u00b5", "model \u00b5"), ("'", "model")],
)
def test_names_that_packages_cannot_have(
    tmp_path: Path, save_checkpoint: Callable[..., Path], name: str, allowed: str
) -> None:
    export_package(find_model(str(save_checkpoint(tmp_path / name))), tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert yaml.safe_load(archive.read("rdf.yaml"))["name"] == allowed


def test_other_networks_are_refused(tmp_path: Path) -> None:
    about = find_model("nuclei").description
    other = Model(tmp_path, about.model_construct(**{**json.loads(about.model_dump_json()), "kind": "flow-sam"}))
    with pytest.raises(CellspanError, match="only networks of Cellpose 1 to 3 are exported as packages"):
        export_package(other, tmp_path / "a.zip")
    with pytest.raises(CellspanError, match=r"a\.zip: the file cannot be written"):
        export_package(find_model("nuclei"), tmp_path / "missing" / "a.zip")
