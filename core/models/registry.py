"""Where models are kept and what is known of them: bundled ones, the user's own, and model folders by path."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_data_path
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from cellspan.core.errors import CellspanError

BUNDLED = Path(__file__).parent / "bundled"
DESCRIPTION = "model.json"
WEIGHTS = "weights.safetensors"


class SizeModel(BaseModel):
    """log(diameter in pixels) = intercept + coefficients . style (ridge regression)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    coefficients: list[float]
    intercept: float
    smallest: float = Field(description="smallest diameter in the regression, pixels")
    largest: float = Field(description="largest diameter in the regression, pixels")
    median_error: float | None = Field(None, description="median relative error on held-out images")


class ModelDescription(BaseModel):
    """The content of model.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    objects: str = Field(description="what the model finds, for people: nuclei, cells, ...")
    widths: tuple[int, ...]
    mean_diameter: float = Field(gt=0, description="pixels; images are resized so that objects have it")
    size_model: SizeModel | None = None
    weights_sha256: str
    training: dict[str, Any] = Field(default_factory=dict, description="sources, licences, steps, versions")
    scores: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A model on disk; weights are read when they are asked for."""

    folder: Path
    description: ModelDescription

    @property
    def name(self) -> str:
        """The name that users type."""
        return self.description.name

    @property
    def sha256(self) -> str:
        """Hash of the weights, recorded with every result."""
        return self.description.weights_sha256

    def weights(self) -> dict[str, NDArray[Any]]:
        """The network's state, name -> array; raises CellspanError if the file is damaged."""
        path = self.folder / WEIGHTS
        try:
            found = sha256_of(path)
            state = load_file(path)
        except (OSError, SafetensorError) as error:
            raise CellspanError(f"{path}: the model's weights cannot be read ({error}).") from None
        if found != self.sha256:
            raise CellspanError(
                f"{path}: the weights are not those that {DESCRIPTION} describes; copy the model again."
            )
        return {name: np.asarray(array) for name, array in state.items()}


def user_models() -> Path:
    """Where imported models are kept."""
    return user_data_path("cellspan", appauthor=False) / "models"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def load_model(folder: Path) -> Model:
    """The model in a folder; raises CellspanError with the reason if it is none."""
    path = folder / DESCRIPTION
    try:
        description = ModelDescription.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError:
        raise CellspanError(f"{folder}: this is no model folder, it has no readable {DESCRIPTION}.") from None
    except ValidationError as error:
        raise CellspanError(f"{path}: {error.errors()[0]['msg']} ({error.errors()[0]['loc']}).") from None
    return Model(folder, description)


def list_models() -> list[Model]:
    """Bundled models first, then the user's own, each in alphabetical order; the user's win over bundled names."""
    models: dict[str, Model] = {}
    for root in (BUNDLED, user_models()):
        for path in sorted(root.glob(f"*/{DESCRIPTION}")):
            models[path.parent.name] = load_model(path.parent)
    return list(models.values())


def find_model(name: str) -> Model:
    """A model by name or by the path of its folder; raises CellspanError that lists the names there are."""
    for root in (user_models(), BUNDLED):
        if name and Path(name).name == name and (root / name / DESCRIPTION).is_file():
            return load_model(root / name)
    path = Path(os.path.expanduser(name))
    if name and (path.is_dir() or path.name == DESCRIPTION):
        return load_model(path.parent if path.name == DESCRIPTION else path)
    names = ", ".join(model.name for model in list_models()) or "none"
    raise CellspanError(f"There is no model '{name}'; the models are: {names}. A model folder's path works too.")
