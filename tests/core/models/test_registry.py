"""Models: the bundled ones, models by path, damaged ones."""

import shutil
from pathlib import Path

import pytest

from cellspan.core.errors import CellspanError
from cellspan.core.models.importing import import_model
from cellspan.core.models.registry import WEIGHTS, find_model, list_models, sha256_of

pytestmark = pytest.mark.quick


def test_bundled_models_hold_the_weights_they_describe() -> None:
    models = list_models()
    assert "nuclei" in [model.name for model in models]
    for model in models:
        assert sha256_of(model.folder / WEIGHTS) == model.sha256
        assert model.description.training["sources"]
        assert model.description.training["licences"]


def test_a_model_is_found_by_the_path_of_its_folder(tmp_path: Path) -> None:
    folder = shutil.copytree(find_model("nuclei").folder, tmp_path / "mein modell")
    assert find_model(str(folder)).sha256 == find_model("nuclei").sha256


def test_unknown_models_are_refused_with_the_known_names() -> None:
    with pytest.raises(CellspanError, match=r"no model 'nuclej'.*nuclei"):
        find_model("nuclej")
    with pytest.raises(CellspanError, match="no model ''"):
        find_model("")


def test_damaged_models_are_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(find_model("nuclei").folder, tmp_path / "m")
    weights = folder / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    with pytest.raises(CellspanError, match="do not match"):
        find_model(str(folder)).weights()
    (folder / "model.json").write_text("{}")
    with pytest.raises(CellspanError, match=r"model\.json"):
        find_model(str(folder))
    with pytest.raises(CellspanError, match="not a model folder"):
        find_model(str(tmp_path))


@pytest.mark.parametrize(
    "name",
    ["x" * 300, "x" * 100_000, "a\0b", "/a\0b", "~a\0b", "a/" * 5000, "é" * 200, "\ud800", "cellpose/" + "x" * 300],
    ids=["long", "endless", "NUL", "path with NUL", "home with NUL", "deep", "bytes", "surrogate", "cellpose"],
)
def test_names_that_no_file_can_have(name: str, tmp_path: Path) -> None:
    with pytest.raises(CellspanError, match="There is no model '") as refusal:
        find_model(name)
    assert len(str(refusal.value)) < 500
    assert str(refusal.value).isprintable()
    with pytest.raises(CellspanError):
        import_model(Path(name))
    with pytest.raises(CellspanError, match="not a valid model name"):
        import_model(find_model("nuclei").folder, name)
