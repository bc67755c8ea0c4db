"""Packages are valid for bioimageio.core, it runs them, and what it packs comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bioimageio.core import predict
from bioimageio.core import test_model as run_its_test
from bioimageio.spec import load_description, save_bioimageio_package
from bioimageio.spec.model.v0_5 import ModelDescr

from cellspan.core.inference.predictor import make_predictor
from cellspan.core.models.importing import import_model
from cellspan.core.models.package_writing import export_package
from cellspan.core.models.registry import BUNDLED, find_model
from cellspan.core.parameters import Parameters
from cellspan.core.pictures.normalise import normalise
from cellspan.core.training.simulate import simulate_nuclei

pytestmark = pytest.mark.filterwarnings("default")  # bioimageio, and what it loads, are not ours to mend


@pytest.fixture(scope="module", params=sorted(path.name for path in BUNDLED.iterdir()))
def model(request: pytest.FixtureRequest) -> str:
    """Every bundled model."""
    return request.param


@pytest.fixture(scope="module")
def package(model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packages") / f"{model}.zip"
    export_package(find_model(model), path)
    return path


def test_it_is_valid_and_its_test_passes(package: Path) -> None:
    description = load_description(package)
    assert isinstance(description, ModelDescr), description.validation_summary.format()
    summary = run_its_test(package, weight_format="pytorch_state_dict")
    assert summary.status == "passed", summary.format()
    assert all(detail.status == "passed" for detail in summary.details)


def test_an_image_gets_the_outputs_that_cellspan_gives(model: str, package: Path) -> None:
    image = simulate_nuclei((128, 160), diameter=24, seed=4).image
    raw = np.stack([image, np.zeros_like(image)])[None].astype(np.float32)
    found = predict(model=str(package), inputs={"raw": raw})
    members = {str(name): np.asarray(tensor.data) for name, tensor in found.members.items()}
    predictor = make_predictor(find_model(model), "cpu")
    planes = np.stack([normalise(image, Parameters())[0], np.zeros(image.shape, np.float32)])
    features, deepest = predictor.encode(planes[None])
    mean = deepest.mean((2, 3))[0]
    outputs = predictor.decode(features, mean / np.linalg.norm(mean))
    assert np.abs(members["flows"] - outputs).max() < 1e-3 * np.ptp(outputs)


def test_what_bioimageio_packs_comes_back(
    model: str, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("registry", "importing"):
        monkeypatch.setattr(f"cellspan.core.models.{module}.user_models", lambda: tmp_path / "models")
    packed = save_bioimageio_package(load_description(package), output_path=tmp_path / "packed.zip")
    before, after = find_model(model), import_model(Path(packed), "back")
    assert after.description.size_model == before.description.size_model
    states = before.weights(), after.weights()
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])
